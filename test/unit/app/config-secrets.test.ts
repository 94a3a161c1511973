import { expect, it } from "vitest";
import { resolveInstance } from "../../../src/app/config-resolve.js";
import { instanceSchema } from "../../../src/app/config-schema.js";
import { secretsOf } from "../../../src/app/config-secrets.js";

it("finds every secret of an instance, as it would appear in a text", () => {
  const instance = resolveInstance(
    instanceSchema.parse({
      storage: { url: "postgres://me:p%40ss%20word@db:5432/x" },
      stage: { kind: "redis", url: "rediss://:redispass@cache:6379" },
      api: { token: "token-of-twenty-chars" },
      alerts: {
        webhook_url: "https://hooks.example/w",
        slack_webhook_url: "https://hooks.slack.example/s",
        telegram: { bot_token: "123:abc", chat_id: "-1" },
      },
    }),
  );
  expect(secretsOf(instance).sort()).toEqual(
    [
      "p@ss word",
      "redispass",
      "token-of-twenty-chars",
      "https://hooks.example/w",
      "https://hooks.slack.example/s",
      "123:abc",
    ].sort(),
  );
  expect(secretsOf(resolveInstance(instanceSchema.parse({})))).toEqual([]);
});
