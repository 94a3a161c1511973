// What a reader throws for an answer that is none.
import { TickwellError } from "../core/fault.js";

/**
 * An error for an answer in another form than documented, or to another question. The client that holds the text adds
 * which request it was, and a sample where there is none.
 */
export function malformed(path: string, text: string, sample = ""): TickwellError {
  return new TickwellError({ kind: "malformed_payload", path, sample }, text);
}
