// Batches as text, for a stage outside of this process.
import { TickwellError } from "../../core/fault.js";
import type { RecordBatch } from "../../core/model/record-batch.js";

/** Raised when a batch changes its form: what an older program has left is then put aside, and fetched again by coverage. */
const VERSION = 1;

export function encodeBatch(batch: RecordBatch): string {
  // A Map is all that JSON cannot write.
  const plain = batch.kind === "candles" && batch.flags ? { ...batch, flags: [...batch.flags] } : batch;
  return JSON.stringify({ v: VERSION, batch: plain });
}

/** @throws TickwellError `stage` for text that no program of this version has written */
export function decodeBatch(text: string): RecordBatch {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TickwellError({ kind: "stage" }, "an entry is not JSON", { cause: error });
  }
  const envelope = json as { v?: unknown; batch?: { kind?: unknown; flags?: unknown } } | null;
  const batch = envelope?.batch;
  if (envelope?.v !== VERSION || batch === undefined)
    throw new TickwellError(
      { kind: "stage" },
      `an entry is of version ${String(envelope?.v)}, expected ${VERSION}`,
    );
  if (batch.kind !== "candles" && batch.kind !== "trades" && batch.kind !== "book")
    throw new TickwellError({ kind: "stage" }, `an entry is of kind ${String(batch.kind)}`);
  if (batch.kind === "candles" && Array.isArray(batch.flags))
    return { ...batch, flags: new Map(batch.flags as [number, number][]) } as unknown as RecordBatch;
  return batch as RecordBatch;
}
