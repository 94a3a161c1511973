import { defineConfig } from "vitest/config";

// unit: no server, no file. integration: real PostgreSQL, real HTTP, real processes. chaos: processes killed, disks filled.
// browser: the dashboard in Chromium.
const project = (name: string, include: string[], timeoutMs: number, globalSetup: string[] = []) => ({
  test: {
    name,
    include,
    globalSetup,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    pool: "forks" as const,
  },
});
const withDatabase = ["test/support/global-setup.ts"];

export default defineConfig({
  test: {
    projects: [
      project("unit", ["test/{unit,property}/**/*.test.ts"], 20_000),
      project("integration", ["test/{integration,conformance,scenario}/**/*.test.ts"], 180_000, withDatabase),
      project("browser", ["test/browser/**/*.test.ts"], 240_000, withDatabase),
      project("chaos", ["test/chaos/**/*.test.ts"], 600_000, withDatabase),
    ],
  },
});
