// Reads a configuration, checked and typed, and what is wrong with another one.
// node examples/load-config.mjs
import { classifyError, loadCollectorConfig, loadConfig } from "tickwell";

const configs = new URL("../configs", import.meta.url).pathname;
const { instance, collectors } = await loadConfig(configs);
console.log(`storage ${instance.storage.url}; collectors: ${collectors.map(({ name }) => name).join(", ")}`);

const [collector] = collectors;
console.log(`${collector.exchange.name}: every ${collector.mode.intervals.collectMs / 1_000} s`);

try {
  await loadCollectorConfig(`${configs}/nowhere.yml`);
} catch (error) {
  console.log(`${classifyError(error).kind}: ${error.message}`);
}
