// Who may ask for what. Three questions, in this order:
//
// 1. Is it this server that is meant? On loopback the `Host` must be a loopback name: a page of another site that has its
//    name resolved to 127.0.0.1 (DNS rebinding) would otherwise read everything in a browser's name.
// 2. Does a page of another origin ask? A browser says so by `Origin`; no such page has any business here.
// 3. Does the caller hold the token, where there is one? Reading and writing have each their own; writing includes reading.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isLoopback } from "../core/net/loopback.js";
import { STREAM_PROTOCOL } from "./contract.js";
import { ApiProblem } from "./problem.js";

export interface AccessOptions {
  /** What the server listens on. */
  readonly host: string;
  /** Undefined: whoever reaches the server may read. */
  readonly token: string | undefined;
  /** Undefined: nobody may write. */
  readonly writeToken: string | undefined;
}

type Right = "read" | "write";

const BEARER_PROTOCOL = "bearer.";

export class Access {
  readonly #isLoopback: boolean;
  readonly #token: Buffer | undefined;
  readonly #writeToken: Buffer | undefined;

  constructor({ host, token, writeToken }: AccessOptions) {
    this.#isLoopback = isLoopback(host);
    this.#token = token === undefined ? undefined : digest(token);
    this.#writeToken = writeToken === undefined ? undefined : digest(writeToken);
  }

  /** Whether a caller without any token may read. */
  get isOpen(): boolean {
    return this.#token === undefined;
  }

  /** Questions 1 and 2. @throws ApiProblem 403 */
  checkOrigin({ headers }: Pick<IncomingMessage, "headers">): void {
    const { host = "", origin } = headers;
    if (this.#isLoopback && !isLoopback(hostNameOf(host)))
      throw new ApiProblem(
        403,
        "this server answers to localhost only: ask for http://127.0.0.1 or http://localhost",
      );
    if (origin === undefined) return;
    if (originHost(origin) !== host.toLowerCase())
      throw new ApiProblem(403, "pages of other origins may not ask this server");
  }

  /** Question 3. @throws ApiProblem 401, 403 */
  checkToken(request: Pick<IncomingMessage, "headers">, right: Right): void {
    if (this.may(request, right)) return;
    if (right === "write" && this.#writeToken === undefined)
      throw new ApiProblem(
        403,
        "nothing can be changed over HTTP: set api.write_token in the config to allow it",
      );
    throw new ApiProblem(
      401,
      right === "write"
        ? "this needs the token that may write: send Authorization: Bearer <api.write_token>"
        : "this needs a token: send Authorization: Bearer <api.token>",
    );
  }

  may(request: Pick<IncomingMessage, "headers">, right: Right): boolean {
    if (right === "read" && this.#token === undefined) return true;
    const given = tokenOf(request);
    if (given === undefined) return false;
    const found = digest(given);
    // Both are compared whatever the first says: how long it takes tells nothing.
    const mayWrite = equals(found, this.#writeToken);
    const mayRead = equals(found, this.#token);
    return right === "write" ? mayWrite : mayRead || mayWrite;
  }
}

/** From `Authorization`, or from the subprotocols of a browser's WebSocket, which can set no header. */
function tokenOf({ headers }: Pick<IncomingMessage, "headers">): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "");
  if (bearer) return bearer[1];
  const protocols = (headers["sec-websocket-protocol"] ?? "").split(",").map((each) => each.trim());
  if (!protocols.includes(STREAM_PROTOCOL)) return undefined;
  const bearerProtocol = protocols.find((each) => each.startsWith(BEARER_PROTOCOL));
  return bearerProtocol === undefined ? undefined : unescaped(bearerProtocol.slice(BEARER_PROTOCOL.length));
}

/** A subprotocol may not hold every character of a token. */
function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function equals(found: Buffer, wanted: Buffer | undefined): boolean {
  return timingSafeEqual(found, wanted ?? Buffer.alloc(found.length)) && wanted !== undefined;
}

/** `localhost:7377` → `localhost` */
function hostNameOf(host: string): string {
  return host.replace(/:\d*$/, "");
}

/** `https://example.com:8443` → `example.com:8443`; undefined for `null` and what is no origin. */
function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host.toLowerCase();
  } catch {
    return undefined;
  }
}
