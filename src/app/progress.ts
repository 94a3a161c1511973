// Progress of long work on stderr: a bar with rate and time left on a terminal, a line now and then elsewhere.
import { SingleBar } from "cli-progress";
import type { Clock } from "../core/clock.js";
import { formatDuration } from "../core/duration.js";
import { formatCount } from "./table.js";

/** Without a terminal a line is enough this often, ms. */
const LINE_EVERY_MS = 5_000;

/** Counts candles, or whatever `show` and `unit` say, towards a total. */
export class Progress {
  readonly #title: string;
  readonly #unit: string;
  readonly #show: (count: number) => string;
  readonly #total: number;
  readonly #clock: Clock;
  readonly #write: (text: string) => void;
  readonly #bar: SingleBar | undefined;
  readonly #startedMs: number;
  #done = 0;
  #lineMs: number;

  constructor({
    title,
    total,
    clock,
    write,
    unit = "candles",
    show = formatCount,
  }: {
    title: string;
    total: number;
    clock: Clock;
    write: (text: string) => void;
    unit?: string;
    show?: (count: number) => string;
  }) {
    this.#title = title;
    this.#unit = unit;
    this.#show = show;
    this.#total = total;
    this.#clock = clock;
    this.#write = write;
    this.#startedMs = clock.nowMs();
    this.#lineMs = this.#startedMs;
    if (process.stderr.isTTY) {
      this.#bar = new SingleBar({
        stream: process.stderr,
        format: `${title} [{bar}] {percentage}%  {done} of {all} ${unit}  {rate}/s  {left}`,
        barCompleteChar: "█",
        barIncompleteChar: "░",
        barsize: 24,
        hideCursor: true,
        gracefulExit: false,
      });
      this.#bar.start(total, 0, this.#words());
    }
  }

  add(candles: number): void {
    this.#done = Math.min(this.#done + candles, this.#total);
    this.#bar?.update(this.#done, this.#words());
    if (this.#bar || this.#clock.nowMs() - this.#lineMs < LINE_EVERY_MS) return;
    this.#lineMs = this.#clock.nowMs();
    const { done, all, rate, left } = this.#words();
    this.#write(`${this.#title}: ${done} of ${all} ${this.#unit}, ${rate}/s, ${left}\n`);
  }

  stop(): void {
    this.#bar?.update(this.#done, this.#words());
    this.#bar?.stop();
  }

  #words(): { done: string; all: string; rate: string; left: string } {
    const elapsedMs = Math.max(this.#clock.nowMs() - this.#startedMs, 1);
    const perMs = this.#done / elapsedMs;
    const left =
      this.#done === 0 ? "time left unknown" : `${formatDuration((this.#total - this.#done) / perMs)} left`;
    return {
      done: this.#show(this.#done),
      all: this.#show(this.#total),
      rate: this.#show(Math.round(perMs * 1_000)),
      left,
    };
  }
}
