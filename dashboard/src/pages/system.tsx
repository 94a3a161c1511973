// The process and its database: connections, what is under way, limits and bans, errors, size.
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { rememberToken, token, type Status } from "../api.js";
import { formatBytes, formatCount, formatDuration } from "../format.js";
import { useNow } from "../hooks.js";
import { Ago, Badge, Time } from "../parts/common.js";

export function System({ status }: { status: Status | undefined }): JSX.Element {
  if (status === undefined)
    return (
      <p class="state" aria-busy="true">
        Loading…
      </p>
    );
  const { stage, writer, database } = status;
  return (
    <section aria-labelledby="system-title">
      <h1 id="system-title">
        System{" "}
        <small>
          tickwell {status.version}, up {formatDuration(status.uptime_ms)}
        </small>
      </h1>
      <div class="columns">
        <Panel title="Collectors">
          {status.collectors.length === 0 ? (
            <p class="state">This process collects nothing.</p>
          ) : (
            <table>
              <thead>
                <tr>
                  <th>Name</th>
                  <th>State</th>
                  <th class="number">Series</th>
                  <th class="number">Missing</th>
                  <th>Last cycle</th>
                </tr>
              </thead>
              <tbody>
                {status.collectors.map((each) => (
                  <tr key={each.name}>
                    <th scope="row">{each.name}</th>
                    <td title={each.detail ?? ""}>
                      <Badge
                        state={each.state === "running" ? "good" : each.state === "failing" ? "bad" : "none"}
                      >
                        {each.state}
                      </Badge>
                    </td>
                    <td class="number">{formatCount(each.series)}</td>
                    <td class="number">
                      {each.missing_candles === null ? "–" : formatCount(each.missing_candles)}
                    </td>
                    <td>
                      <Ago iso={each.last_cycle_at} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Panel>
        <Panel title="Connections">
          {status.connections.length === 0 ? (
            <p class="state">No streams are followed.</p>
          ) : (
            <table>
              <thead>
                <tr>
                  <th>Exchange</th>
                  <th>State</th>
                  <th class="number">Channels</th>
                  <th>Open since</th>
                  <th>Last message</th>
                </tr>
              </thead>
              <tbody>
                {status.connections.map((each, i) => (
                  <tr key={i}>
                    <th scope="row">{each.exchange}</th>
                    <td title={each.detail ?? ""}>
                      <Badge
                        state={
                          each.state === "open"
                            ? "good"
                            : each.state === "closed" || each.state === "waiting"
                              ? "warn"
                              : "busy"
                        }
                      >
                        {each.state}
                      </Badge>
                    </td>
                    <td class="number">{formatCount(each.channels)}</td>
                    <td>
                      <Ago iso={each.open_since} />
                    </td>
                    <td>
                      <Ago iso={each.last_message_at} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Panel>
        <Panel title="Under way">
          <dl>
            <dt>Stage</dt>
            <dd>
              {stage ? (
                <>
                  <meter
                    min={0}
                    max={stage.rows_max}
                    high={stage.rows_max * 0.8}
                    value={stage.rows}
                    aria-label="stage"
                  />{" "}
                  {formatCount(stage.rows)} of {formatCount(stage.rows_max)} rows, in {stage.kind}
                </>
              ) : (
                "–"
              )}
            </dd>
            <dt>Writer</dt>
            <dd>
              {writer ? (
                <>
                  {writer.is_waiting ? (
                    <Badge state="bad">the database is away</Badge>
                  ) : (
                    `${formatCount(Math.round(writer.rows_per_second))} rows/s`
                  )}
                  , {formatCount(writer.rows_total)} in all, last commit <Ago iso={writer.last_commit_at} />
                </>
              ) : (
                "–"
              )}
            </dd>
            <dt>Stream clients</dt>
            <dd>
              {formatCount(status.stream.clients)} of {formatCount(status.stream.clients_max)};{" "}
              {formatCount(status.stream.messages_lost)} messages lost by slow ones
            </dd>
          </dl>
        </Panel>
        <Panel title="Limits and bans">
          {status.bans.map((ban) => (
            <Ban key={ban.host} ban={ban} />
          ))}
          {status.rate_limits.length === 0 ? (
            <p class="state">Nothing was asked yet.</p>
          ) : (
            <ul class="plain">
              {status.rate_limits.map((each) => (
                <li key={`${each.exchange} ${each.name}`}>
                  {each.exchange} {each.name}:{" "}
                  <meter
                    min={0}
                    max={each.limit}
                    high={each.limit * 0.8}
                    value={each.used}
                    aria-label={`${each.exchange} ${each.name}`}
                  />{" "}
                  {formatCount(Math.round(each.used))} of {formatCount(each.limit)}
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel title={`Errors, last 24 h: ${formatCount(status.totals.errors_24h)}`}>
          {status.errors_by_class.length === 0 ? (
            <p class="state">
              <Badge state="good">none</Badge>
            </p>
          ) : (
            <ul class="plain">
              {status.errors_by_class.map((each) => (
                <li key={each.error_type}>
                  <strong>{each.error_type.replaceAll("_", " ")}</strong>: {formatCount(each.count)}, last{" "}
                  <Time iso={each.last_time} />
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel title="Database">
          <dl>
            <dt>Server</dt>
            <dd>
              {database.is_reachable ? (
                <Badge state="good">reachable</Badge>
              ) : (
                <Badge state="bad">away</Badge>
              )}{" "}
              {database.kind === "embedded" ? "embedded " : ""}PostgreSQL {database.server_version}
              {database.timescale_version ? `, TimescaleDB ${database.timescale_version}` : ""}
            </dd>
            <dt>Size</dt>
            <dd>{formatBytes(database.bytes)}</dd>
            <dt>Growth</dt>
            <dd>{forecast(database)}</dd>
          </dl>
          <table>
            <tbody>
              {database.tables.slice(0, 8).map((table) => (
                <tr key={table.name}>
                  <th scope="row">{table.name}</th>
                  <td class="number">{formatBytes(table.bytes)}</td>
                  <td class="number">{table.rows === null ? "" : `${formatCount(table.rows)} rows`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Panel>
        <Panel title="This browser">
          <Token />
        </Panel>
      </div>
    </section>
  );
}

function Panel({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <section class="panel" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Ban({ ban }: { ban: Status["bans"][number] }): JSX.Element {
  const now = useNow(1_000);
  return (
    <p role="alert" title={ban.reason}>
      <Badge state="bad">{ban.host} has banned this address</Badge> for another{" "}
      {formatDuration(Math.max(0, Date.parse(ban.until) - now))}
    </p>
  );
}

function forecast({ bytes_per_day: perDay, disk_free_bytes: free }: Status["database"]): string {
  if (perDay === null) return "not known yet";
  const words = `${formatBytes(perDay)} a day`;
  if (free === null) return words;
  const days = perDay > 0 ? free / perDay : Infinity;
  return `${words}; ${formatBytes(free)} free${days < 36_500 ? `, enough for ${formatCount(Math.round(days))} days` : ""}`;
}

function Token(): JSX.Element {
  const [value, setValue] = useState(token() ?? "");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        rememberToken(value);
        location.reload();
      }}
    >
      <label>
        Token, where the API asks for one
        <input
          type="password"
          autocomplete="off"
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
      </label>{" "}
      <button>Use it</button>
      <p class="dim">Kept until this tab is closed.</p>
    </form>
  );
}
