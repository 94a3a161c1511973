// Starts the HTTP API of a process that collects, as the config says.
import { fileURLToPath } from "node:url";
import type { Clock } from "../core/clock.js";
import type { Log } from "../core/log.js";
import type { LiveHub } from "../pipeline/live-hub.js";
import type { Store } from "../store/store.js";
import type { MetricsSource } from "../web/metrics-source.js";
import type { ProcessView } from "../web/process-view.js";
import { startApi, type ApiServer } from "../web/server.js";
import type { ApiConfig } from "./config-types.js";
import { VERSION } from "./version.js";

/** Built beside the program; from a checkout run by its sources, in the checkout's `dist`. */
const DASHBOARD_FOLDER = fileURLToPath(
  new URL(
    import.meta.url.includes("/dist/src/") ? "../../dashboard" : "../../dist/dashboard",
    import.meta.url,
  ),
);

export interface ApiHostParts {
  readonly config: ApiConfig;
  readonly store: Store;
  readonly hub: LiveHub;
  readonly process: ProcessView;
  readonly metrics: MetricsSource | undefined;
  /** By which the data are new or old. */
  readonly clock: Clock;
  readonly isEmbedded: boolean;
  readonly log: Log;
}

/** @throws TickwellError `config` when the address cannot be had */
export function hostApi({ config, ...parts }: ApiHostParts): Promise<ApiServer> {
  return startApi({ ...config, ...parts, version: VERSION, dashboardFolder: DASHBOARD_FOLDER });
}
