// The one file inside a ZIP archive, as market-data archives pack them. In: the archive's bytes. Out: the file's name and
// its bytes, unpacked piece by piece within a limit, with length and CRC compared at the end. Node unpacks DEFLATE itself,
// and no library for ZIP known to us checks the CRC while it streams.
import { Readable } from "node:stream";
import { crc32, createInflateRaw } from "node:zlib";
import { describeError, TickwellError } from "./fault.js";

export interface ZipEntry {
  readonly name: string;
  /** As the archive announces it. */
  readonly bytes: number;
  /** @throws TickwellError `malformed_payload` for damaged data, data beyond the limit, a wrong length or CRC */
  readonly chunks: AsyncGenerator<Buffer>;
}

export interface ZipLimits {
  /** Where the archive comes from, for messages. */
  readonly subject: string;
  /** Most bytes the unpacked file may have. */
  readonly bytesMax: number;
}

const END_MAGIC = 0x06054b50;
const END_BYTES = 22;
/** The end record may be followed by a comment of so many bytes. */
const COMMENT_BYTES_MAX = 65_535;
const CENTRAL_MAGIC = 0x02014b50;
const CENTRAL_BYTES = 46;
const LOCAL_MAGIC = 0x04034b50;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const IS_ENCRYPTED = 1;
/** In place of a length, it stands for "see the ZIP64 record", which only archives of 4 GB need. */
const ZIP64_LENGTH = 0xffffffff;
const PIECE_BYTES = 65_536;

/**
 * Opens an archive that holds exactly one file.
 * @throws TickwellError `malformed_payload` for anything else
 */
export function openZipEntry(archive: Buffer, limits: ZipLimits): ZipEntry {
  const { subject, bytesMax } = limits;
  const endAt = findEnd(archive);
  if (endAt === undefined)
    throw malformed(subject, "is no complete ZIP archive: it has no end record; get it again");
  const files = archive.readUInt16LE(endAt + 10);
  if (files !== 1) throw malformed(subject, `holds ${files} files, expected one`);
  const centralAt = archive.readUInt32LE(endAt + 16);
  if (centralAt + CENTRAL_BYTES > endAt || archive.readUInt32LE(centralAt) !== CENTRAL_MAGIC)
    throw malformed(subject, "is damaged: its directory is not where it says; get it again");
  const method = archive.readUInt16LE(centralAt + 10);
  const packedBytes = archive.readUInt32LE(centralAt + 20);
  const bytes = archive.readUInt32LE(centralAt + 24);
  const nameBytes = archive.readUInt16LE(centralAt + 28);
  const localAt = archive.readUInt32LE(centralAt + 42);
  const name = archive
    .subarray(centralAt + CENTRAL_BYTES, centralAt + CENTRAL_BYTES + nameBytes)
    .toString("utf8");
  if (archive.readUInt16LE(centralAt + 8) & IS_ENCRYPTED) throw malformed(subject, "is encrypted");
  if (method !== STORED && method !== DEFLATED)
    throw malformed(subject, `is packed by method ${method}, expected ${DEFLATED} (deflate)`);
  if (packedBytes === ZIP64_LENGTH || bytes === ZIP64_LENGTH || bytes > bytesMax)
    throw malformed(subject, `unpacks to more than ${bytesMax} bytes; no archive of candles is that large`);
  if (localAt + LOCAL_BYTES > centralAt || archive.readUInt32LE(localAt) !== LOCAL_MAGIC)
    throw malformed(subject, "is damaged: its file is not where it says; get it again");
  const dataAt =
    localAt + LOCAL_BYTES + archive.readUInt16LE(localAt + 26) + archive.readUInt16LE(localAt + 28);
  if (dataAt + packedBytes > centralAt)
    throw malformed(subject, "is damaged: its file is cut off; get it again");
  const packed = archive.subarray(dataAt, dataAt + packedBytes);
  const expected = { bytes, crc: archive.readUInt32LE(centralAt + 16) };
  return { name, bytes, chunks: unpack(packed, { isPacked: method === DEFLATED, expected, subject }) };
}

function findEnd(archive: Buffer): number | undefined {
  const last = archive.length - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at--) {
    if (archive.readUInt32LE(at) === END_MAGIC) return at;
  }
  return undefined;
}

async function* unpack(
  packed: Buffer,
  {
    isPacked,
    expected,
    subject,
  }: { isPacked: boolean; expected: { bytes: number; crc: number }; subject: string },
): AsyncGenerator<Buffer> {
  let bytes = 0;
  let crc = 0;
  for await (const chunk of isPacked ? inflate(packed, subject) : pieces(packed)) {
    bytes += chunk.length;
    // What is announced is within the limit; more than that never is.
    if (bytes > expected.bytes) break;
    crc = crc32(chunk, crc);
    yield chunk;
  }
  if (bytes !== expected.bytes || crc !== expected.crc)
    throw malformed(
      subject,
      "is damaged: what it unpacks to does not have its own length and CRC; get it again",
    );
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

async function* inflate(packed: Buffer, subject: string): AsyncGenerator<Buffer> {
  const source = Readable.from(pieces(packed));
  const inflated = source.pipe(createInflateRaw());
  try {
    for await (const chunk of inflated as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw malformed(subject, `is damaged (${describeError(error)}); get it again`, error);
  } finally {
    source.destroy();
    inflated.destroy();
  }
}

function malformed(subject: string, problem: string, cause?: unknown): TickwellError {
  return new TickwellError(
    { kind: "malformed_payload", path: subject, sample: "" },
    `${subject}: ${problem}`,
    cause === undefined ? undefined : { cause },
  );
}
