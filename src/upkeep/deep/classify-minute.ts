// What the witnesses of one minute say about each other: stored candle, venue's candle now, archive, and trades. In: the
// evidence. Out: differences, each with its class and what is to be done about it.
//
// 1. Stored against the venue's candle; where they differ, the trades say which is right.
// 2. The venue's candle against its trades; where they differ, a trade counted in the next minute explains most.
// 3. The archive against the venue's candle; an archive that still says what is stored adds nothing to 1.
import { differencesFromTrades, differencesOf, type CandleValues } from "./candle-values.js";
import type { DeepClass, DeepDifference, DeepRepair, MinuteState } from "./deep-report.js";
import type { MinuteTrades } from "./minute-trades.js";
import { findMovedTrades, rebuild } from "./moved-trades.js";

export interface MinuteEvidence {
  readonly openTimeMs: number;
  readonly state: MinuteState;
  /** What we hold, and whether it is from the exchange itself. */
  readonly stored: { readonly values: CandleValues; readonly isFromExchange: boolean } | undefined;
  /** The venue's candle now; undefined when it has none. */
  readonly venue: CandleValues | undefined;
  /** Why the venue's row was refused, if it was. */
  readonly venueRefusal: string | undefined;
  /** Undefined when no file speaks about the minute; `values` undefined when the file has no such row. */
  readonly archive: { readonly values: CandleValues | undefined; readonly url: string } | undefined;
  /** Undefined when the venue does not keep trades that long. */
  readonly trades: MinuteTrades | undefined;
}

interface Finding {
  readonly class: DeepClass;
  readonly detail: string;
  readonly repair?: DeepRepair;
  readonly movedIds?: readonly number[];
}

/** The evidence with what follows from it at once. */
interface Weighed extends MinuteEvidence {
  readonly rebuilt: CandleValues | undefined;
  /** False when trades are missing or refused: then they prove nothing against a candle. */
  readonly areTradesComplete: boolean;
  /** Where the venue's candle differs from its trades; undefined without trades. */
  readonly tradeDifferences: readonly string[] | undefined;
  /** Trades whose counting in another minute explains the venue's candle. */
  readonly movedIds: readonly number[] | undefined;
}

export function classifyMinute(evidence: MinuteEvidence): DeepDifference[] {
  const weighed = weigh(evidence);
  const findings = [aboutStored(weighed), aboutTrades(weighed), aboutArchive(weighed)];
  const { openTimeMs, state, stored, venue, archive, trades, rebuilt } = weighed;
  const first = trades?.inside[0];
  const last = trades?.inside.at(-1);
  return findings
    .filter((finding) => finding !== undefined)
    .map((finding) => ({
      class: finding.class,
      openTimeMs,
      state,
      detail: finding.detail,
      repair: finding.repair ?? "none",
      candles: { stored: stored?.values, venue, archive: archive?.values, rebuilt },
      fillIds: first && last ? { first: first.firstFillId, last: last.lastFillId } : undefined,
      missingIds: trades?.idGaps ?? [],
      movedIds: finding.movedIds ?? [],
    }));
}

function weigh(evidence: MinuteEvidence): Weighed {
  const { trades, venue, openTimeMs } = evidence;
  const rebuilt = trades && rebuild(trades.inside, openTimeMs);
  const tradeDifferences = trades && differencesFromTrades(venue, rebuilt);
  const areTradesComplete =
    trades !== undefined && trades.idGaps.length === 0 && trades.rejected.length === 0;
  const isToExplain = areTradesComplete && venue !== undefined && tradeDifferences?.length !== 0;
  const movedIds = isToExplain ? findMovedTrades(venue, trades, openTimeMs) : undefined;
  return { ...evidence, rebuilt, areTradesComplete, tradeDifferences, movedIds };
}

function aboutStored(weighed: Weighed): Finding | undefined {
  const { stored, venue, venueRefusal, trades, rebuilt, areTradesComplete, movedIds } = weighed;
  if (!stored) return aboutAbsence(weighed);
  if (!venue) {
    const what =
      venueRefusal === undefined ? "has no candle any more" : `sends a wrong one (${venueRefusal})`;
    return { class: "source_fault", detail: `the exchange ${what} where it gave us one` };
  }
  const changes = differencesOf(venue, stored.values);
  if (changes.length === 0) return undefined;
  const what = `the exchange says ${changes.join("; ")} as stored`;
  if (!stored.isFromExchange) return { class: "our_loss", detail: `${what}, from a file`, repair: "refetch" };
  if (!trades)
    return { class: "revision", detail: `${what}; its trades are not kept that long`, repair: "refetch" };
  if (!areTradesComplete)
    return {
      class: "revision",
      detail: `${what}; not all of its trades are there to say which is right`,
      repair: "refetch",
    };
  const isTrue = weighed.tradeDifferences?.length === 0 || movedIds !== undefined;
  if (isTrue) return { class: "revision", detail: `${what}, and its trades agree`, repair: "refetch" };
  if (differencesFromTrades(stored.values, rebuilt).length === 0)
    return { class: "source_fault", detail: `${what}, and its trades agree with what is stored` };
  return {
    class: "our_loss",
    detail: `${what}; neither its candle nor its trades show the stored values`,
    repair: "refetch",
  };
}

/** A void or a gap: right only where the venue has nothing either. */
function aboutAbsence({ state, venue, venueRefusal, trades, rebuilt }: Weighed): Finding | undefined {
  const found: string[] = [];
  if (venue) found.push(`a candle with a volume of ${venue.volume}`);
  if (venueRefusal !== undefined) found.push(`a candle that is refused (${venueRefusal})`);
  if (rebuilt) {
    const first = trades?.inside[0];
    found.push(`${rebuilt.tradeCount ?? 0} trades from id ${first?.firstFillId ?? "?"} on`);
  }
  if (found.length === 0) return undefined;
  return state === "void"
    ? {
        class: "our_loss",
        detail: `believed void, and the exchange has ${found.join(" and ")}`,
        repair: "reopen_void",
      }
    : {
        class: "our_loss",
        detail: `a known gap, and the exchange has ${found.join(" and ")}`,
        repair: "refetch",
      };
}

function aboutTrades(weighed: Weighed): Finding | undefined {
  const { venue, stored, trades, rebuilt, areTradesComplete, tradeDifferences, movedIds } = weighed;
  if (!venue || !trades || !tradeDifferences || tradeDifferences.length === 0) return undefined;
  if (movedIds) {
    const ids = movedIds.join(", ");
    return {
      class: "late_trade",
      detail: `the exchange counts ${movedIds.length === 1 ? "trade" : "trades"} ${ids} in the minute beside that of its time`,
      movedIds,
    };
  }
  const what = `the exchange's candle says ${tradeDifferences.join("; ")} by its trades`;
  if (!areTradesComplete) {
    const missing = trades.idGaps.map((gap) =>
      gap.firstMissingId === gap.lastMissingId
        ? `${gap.firstMissingId}`
        : `${gap.firstMissingId} to ${gap.lastMissingId}`,
    );
    const lacking = missing.length > 0 ? `fills ${missing.join(", ")} are missing at the source` : "";
    const refused =
      trades.rejected.length > 0
        ? `${trades.rejected.length} trades are refused (${trades.rejected[0]?.rule})`
        : "";
    return {
      class: "source_fault",
      detail: [what, lacking, refused].filter((text) => text !== "").join("; "),
    };
  }
  // Told already, with the stored candle: it changed for the worse.
  const isTold =
    stored?.isFromExchange === true &&
    differencesOf(venue, stored.values).length > 0 &&
    differencesFromTrades(stored.values, rebuilt).length === 0;
  return isTold ? undefined : { class: "source_fault", detail: what };
}

function aboutArchive({ archive, venue, stored }: Weighed): Finding | undefined {
  if (!archive) return undefined;
  if (!archive.values)
    return venue && { class: "source_fault", detail: `${archive.url} has no row for this minute` };
  if (!venue)
    return { class: "source_fault", detail: `${archive.url} has a candle, and the exchange answers none` };
  const changes = differencesOf(archive.values, venue);
  if (changes.length === 0) return undefined;
  if (stored && differencesOf(archive.values, stored.values).length === 0) return undefined;
  return {
    class: "source_fault",
    detail: `${archive.url} says ${changes.join("; ")} as the exchange answers`,
  };
}
