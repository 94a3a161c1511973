#!/usr/bin/env node
import { main } from "../dist/src/app/cli.js";

await main(process.argv);
