// The metrics that PromQL expressions ask for.
const NAME = /\b((?:tickwell|process|nodejs)_[a-z0-9_]+)\b(?!\s*:)/g;

/** Names of the metrics in an expression, without the endings of a histogram's series and those that rules record. */
export function metricsIn(expression: string): string[] {
  const withoutRecorded = expression.replace(/\b\w+:\w+:\w+\b/g, "").replace(/"[^"]*"/g, '""');
  return [...withoutRecorded.matchAll(NAME)].map(([, name = ""]) => name.replace(/_(bucket|sum|count)$/, ""));
}
