// The direction of imports: core <- exchanges, store <- pipeline <- upkeep <- web; app sees all and is seen by none.
const layer = (name, from, mayNotSee) => ({
  name,
  severity: "error",
  from: { path: from },
  to: { path: mayNotSee },
});
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, pathNot: ["^src/index\\.ts$"] },
      to: {},
    },
    layer("core-sees-only-core", "^src/core/", "^(src/(?!core/)|simulator/)"),
    layer("exchanges-see-only-core", "^src/exchanges/", "^(src/(?!core/|exchanges/)|simulator/)"),
    layer("store-sees-only-core", "^src/store/", "^(src/(?!core/|store/)|simulator/)"),
    layer(
      "pipeline-sees-core-exchanges-store",
      "^src/pipeline/",
      "^(src/(?!core/|exchanges/|store/|pipeline/)|simulator/)",
    ),
    layer("web-does-not-see-app", "^src/web/", "^(src/app/|simulator/)"),
    layer("upkeep-does-not-see-app", "^src/upkeep/", "^(src/(app|web)/|simulator/)"),
    {
      name: "venues-do-not-import-each-other",
      severity: "error",
      from: { path: "^src/exchanges/([^/]+)/" },
      to: { path: "^src/exchanges/([^/]+)/", pathNot: "^src/exchanges/$1/" },
    },
    layer(
      "simulator-shares-no-codec",
      "^simulator/",
      "^src/(?!core/(model/|decimal|time|timeframe|clock|random))",
    ),
    {
      name: "nothing-imports-app",
      severity: "error",
      from: { path: "^(src|simulator)/", pathNot: "^src/(app/|index\\.ts)" },
      to: { path: "^src/app/" },
    },
    {
      name: "no-dev-dependency-in-the-product",
      severity: "error",
      from: { path: "^(src|simulator)/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default"] },
  },
};
