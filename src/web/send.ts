// Sends what routes answer: with an ETag that is checked first, with what a cache may do, and rows as they come from the
// database, no faster than the client takes them.
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { RowFormat } from "./contract.js";
import {
  separatorOf,
  type DocumentReply,
  type Freshness,
  type Reply,
  type RowsReply,
  type TextReply,
} from "./reply.js";

/** A closed range may be revised by its exchange; that it was is known to whoever asks again after this. */
const CLOSED_MAX_AGE_S = 300;

const CONTENT_TYPES = {
  json: "application/json; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson; charset=utf-8",
} as const satisfies Record<RowFormat, string>;

/** @param onBroken told when a stream broke off in the middle, where no status can say so any more */
export async function send(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Reply,
  onBroken: (error: unknown) => void,
): Promise<FastifyReply> {
  switch (answer.kind) {
    case "document":
      return sendDocument(request, reply, answer);
    case "text":
      return sendText(reply, answer);
    case "rows":
      return sendRows(request, reply, answer, onBroken);
  }
}

function sendDocument(request: FastifyRequest, reply: FastifyReply, answer: DocumentReply): FastifyReply {
  const text = JSON.stringify(answer.body);
  const freshness = answer.freshness ?? {};
  if (isKnown(request, reply, { ...freshness, version: freshness.version ?? text }))
    return reply.code(304).send();
  return reply
    .headers(answer.headers ?? {})
    .type(CONTENT_TYPES.json)
    .send(text);
}

function sendText(reply: FastifyReply, { contentType, fileName, body }: TextReply): FastifyReply {
  return reply
    .header("cache-control", "no-cache")
    .header("content-disposition", `attachment; filename="${fileName}"`)
    .type(contentType)
    .send(body);
}

async function sendRows(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: RowsReply,
  onBroken: (error: unknown) => void,
): Promise<FastifyReply> {
  const { format, freshness, fileName } = answer;
  reply.headers(answer.headers);
  if (isKnown(request, reply, freshness)) return reply.code(304).send();
  reply.type(CONTENT_TYPES[format]);
  if (format !== "json") reply.header("content-disposition", `attachment; filename="${fileName}.${format}"`);
  // Whoever asks for the headers alone must not cost the rows.
  if (request.method === "HEAD") return reply.send();
  // Before the first byte: what fails now can still be told properly.
  const first = await answer.pages.next();
  const texts = framed(answer, first);
  if (!answer.isOnePage) {
    const body = Readable.from(texts, { objectMode: false, highWaterMark: 256 * 1_024 });
    body.on("error", onBroken);
    return reply.send(body);
  }
  let text = "";
  for await (const part of texts) text += part;
  const next = answer.nextCursor();
  if (next !== null)
    reply.header("x-next-cursor", next).header("link", `<${nextUrl(request, next)}>; rel="next"`);
  return reply.send(text);
}

/** The pages with what stands before, between and after them. */
async function* framed(
  { format, csvHeader, pages, nextCursor }: RowsReply,
  first: IteratorResult<{ rows: number; text: string }, void>,
): AsyncGenerator<string> {
  if (format === "json") yield '{"data":[';
  if (format === "csv") yield `${csvHeader}\n`;
  let hasRows = false;
  for (let page = first; page.done !== true; page = await pages.next()) {
    if (page.value.rows === 0) continue;
    yield hasRows ? separatorOf(format) + page.value.text : page.value.text;
    hasRows = true;
  }
  if (format === "json") yield `],"next_cursor":${JSON.stringify(nextCursor())}}\n`;
  else if (hasRows) yield "\n";
}

/** Sets what caches need; true when the caller has this answer already. */
function isKnown(request: FastifyRequest, reply: FastifyReply, { version, isClosed }: Freshness): boolean {
  if (version === undefined) {
    reply.header("cache-control", "no-store");
    return false;
  }
  const digest = createHash("sha256").update(request.url).update("\0").update(version).digest("base64url");
  const etag = `W/"${digest.slice(0, 22)}"`;
  reply
    .header("etag", etag)
    .header("vary", "authorization, origin")
    .header("cache-control", isClosed ? `private, max-age=${CLOSED_MAX_AGE_S}` : "private, no-cache");
  const known = request.headers["if-none-match"];
  return known !== undefined && known.split(",").some((each) => each.trim() === etag || each.trim() === "*");
}

function nextUrl(request: FastifyRequest, cursor: string): string {
  const url = new URL(request.url, "http://localhost");
  url.searchParams.set("cursor", cursor);
  return `${url.pathname}${url.search}`;
}
