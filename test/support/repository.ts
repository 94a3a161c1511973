// The checkout these tests are part of: files that are no part of a built package.
import { resolve } from "node:path";

export const REPOSITORY = resolve(import.meta.dirname, "../..");
