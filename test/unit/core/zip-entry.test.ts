import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { openZipEntry } from "../../../src/core/zip-entry.js";

const LIMITS = { subject: "a.zip", bytesMax: 1_000_000 };
const TEXT = Array.from({ length: 5_000 }, (_, i) => `${i},${(i * 7_919) % 10_007}\n`).join("");

function zip(files: Record<string, string>, level: 0 | 6 = 6): Buffer {
  const bytes = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]));
  return Buffer.from(zipSync(bytes, { level }));
}

async function read(archive: Buffer, limits = LIMITS): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of openZipEntry(archive, limits).chunks) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

describe("openZipEntry", () => {
  it.each([0, 6] as const)("reads the one file of an archive of another program, level %i", async (level) => {
    const archive = zip({ "a.csv": TEXT }, level);
    expect(openZipEntry(archive, LIMITS)).toMatchObject({ name: "a.csv", bytes: TEXT.length });
    expect(await read(archive)).toBe(TEXT);
  });

  it("reads an empty file, and one behind which stands a comment", async () => {
    expect(await read(zip({ "a.csv": "" }))).toBe("");
    const archive = Buffer.concat([zip({ "a.csv": TEXT }), Buffer.from("comment")]);
    archive.writeUInt16LE(7, archive.length - 9);
    expect(await read(archive)).toBe(TEXT);
  });

  it.each<[string, () => Buffer]>([
    ["has no end record", () => zip({ "a.csv": TEXT }).subarray(0, -30)],
    ["has no end record", () => Buffer.from("open_time,open")],
    ["has no end record", () => Buffer.alloc(0)],
    ["holds 2 files, expected one", () => zip({ "a.csv": "1", "b.csv": "2" })],
    ["holds 0 files, expected one", () => zip({})],
  ])("says of a wrong archive that it %s", (words, make) => {
    expect(() => openZipEntry(make(), LIMITS)).toThrow(words);
  });

  it("never passes a flipped bit of the packed data off as the file", async () => {
    const text = "1,2,3\n4,5,6\n";
    const archive = zip({ "a.csv": text });
    const from = 30 + "a.csv".length;
    const to = archive.indexOf(Buffer.from("PK\u0001\u0002"));
    let refused = 0;
    for (let bit = from * 8; bit < to * 8; bit++) {
      const flipped = Buffer.from(archive);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        // Some bits mean nothing, such as those that fill the last byte.
        expect(await read(flipped), `bit ${bit}`).toBe(text);
      } catch (error) {
        expect(error).toMatchObject({ fault: { kind: "malformed_payload" } });
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(((to - from) * 8) / 2);
  });

  it("refuses more than the limit, announced or not", async () => {
    const archive = zip({ "a.csv": TEXT });
    expect(() => openZipEntry(archive, { subject: "a.zip", bytesMax: TEXT.length - 1 })).toThrow(
      `unpacks to more than ${TEXT.length - 1} bytes`,
    );
    const lying = Buffer.from(archive);
    lying.writeUInt32LE(10, lying.indexOf(Buffer.from("PK\u0001\u0002")) + 24);
    await expect(read(lying)).rejects.toThrow("does not have its own length and CRC");
  });
});
