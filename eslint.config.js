import js from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

// eslint itself wants its config as a default export; everything of ours is a named one.
export default defineConfig(
  { ignores: ["dist/", "data/", "node_modules/", "**/*.cjs", "examples/"] },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js", "bin/*.js", "dashboard/vite.config.ts"] },
        tsconfigRootDir: import.meta.dirname,
      },
      globals: Object.fromEntries(
        [
          "console",
          "process",
          "URL",
          "Buffer",
          "performance",
          "AbortController",
          "AbortSignal",
          "setTimeout",
          "setInterval",
          "clearInterval",
        ].map((name) => [name, "readonly"]),
      ),
    },
    rules: {
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "named exports only" },
        { selector: "TSEnumDeclaration", message: "use `as const satisfies`" },
      ],
    },
  },
  {
    // Time and chance come from the clock and the random source that were handed in, so that a run can be replayed.
    files: ["src/**/*.ts", "simulator/**/*.ts"],
    ignores: ["src/core/clock.ts", "src/core/random.ts"],
    rules: {
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "take the clock that was handed in" },
        { object: "Math", property: "random", message: "take the random source that was handed in" },
      ],
    },
  },
  // A browser is its own world: what it offers is TypeScript's to check.
  { files: ["dashboard/src/**"], rules: { "no-undef": "off" } },
  {
    files: ["*.config.ts", "dashboard/vite.config.ts", "eslint.config.js"],
    rules: { "no-restricted-syntax": "off" },
  },
  { files: ["**/*.js"], extends: [tseslint.configs.disableTypeChecked] },
);
