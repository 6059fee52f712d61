/** One page without anything from elsewhere; it asks `/status` once a second. */
export const dashboardPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>tailrace</title>
<style>
  :root { color-scheme: light dark; --line: #8884; --dim: #888; --good: #2a9d4a; --bad: #d1432f; --wait: #c98a00 }
  body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem; max-width: 72rem }
  h1 { font-size: 1.25rem; margin: 0 0 1rem } h1 small { font-weight: normal; color: var(--dim) }
  section { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem }
  h2 { font-size: 1rem; margin: 0 0 .5rem; display: flex; gap: .6rem; align-items: center }
  h2 span.gap { flex: 1 }
  table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums }
  th { text-align: left; font-weight: normal; color: var(--dim); font-size: .85rem }
  th, td { padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--line); vertical-align: top } thead th { border: 0 }
  td.number, th.number { text-align: right }
  .state { font-size: .8rem; padding: 0 .5rem; border-radius: 1rem; border: 1px solid currentcolor }
  .running { color: var(--good) } .failed { color: var(--bad) } .starting, .paused, .draining { color: var(--wait) } .stopped { color: var(--dim) }
  .error { color: var(--bad); font-size: .85rem } button { font: inherit; font-size: .85rem }
  svg { display: block; height: 1.6rem; width: 8rem } polyline { fill: none; stroke: currentcolor; stroke-width: 1.5 }
  #gone { color: var(--bad) }
</style>
<h1>tailrace <small id="about"></small> <small id="gone" hidden>does not answer</small></h1>
<main></main>
<script>
const main = document.querySelector('main');
const history = new Map();
const number = (value) => Math.round(value).toLocaleString('en-US');
const bytes = (value) => value < 1048576 ? (value / 1024).toFixed(0) + ' KiB' : (value / 1048576).toFixed(1) + ' MiB';
const time = (ms) => ms < 1000 ? Math.round(ms) + ' ms' : ms < 120000 ? (ms / 1000).toFixed(1) + ' s' : Math.round(ms / 60000) + ' min';
const element = (name, text, className) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
};
const act = (pipeline, action) => {
  const button = element('button', action);
  button.onclick = () => fetch('/pipelines/' + encodeURIComponent(pipeline) + '/' + action, { method: 'POST' });
  return button;
};
const chart = (values) => {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 60 20');
  svg.setAttribute('preserveAspectRatio', 'none');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  const most = Math.max(1, ...values);
  line.setAttribute('points', values.map((value, at) => at + ',' + (19 - 18 * value / most)).join(' '));
  svg.append(line);
  return svg;
};
const rateOf = (key, total, now) => {
  const known = history.get(key) ?? { total, now, rates: [] };
  const rate = now > known.now ? Math.max(0, (total - known.total) * 1000 / (now - known.now)) : 0;
  history.set(key, { total, now, rates: [...known.rates, rate].slice(-60) });
  return history.get(key).rates;
};
const sinkRow = (pipeline, sink, now) => {
  const rates = rateOf(pipeline.name + '/' + sink.name, sink.writtenChanges, now);
  const row = element('tr');
  const name = element('td', sink.name + ' ');
  name.append(element('span', sink.state, 'state ' + sink.state));
  if (sink.error) name.append(element('div', sink.error, 'error'));
  if (sink.state === 'starting' && sink.snapshotKeys !== null)
    name.append(element('div', 'snapshot: ' + number(sink.snapshotKeys) + ' keys so far'));
  if (sink.trouble) name.append(element('div', 'tried again for ' + time(sink.trouble.forMs) + ': ' + sink.trouble.reason, 'error'));
  if (sink.oldestWaiting && sink.oldestWaiting.forMs > 2000)
    name.append(element('div', 'holds sequence ' + number(sink.oldestWaiting.sequence) + ' since ' + time(sink.oldestWaiting.forMs), 'error'));
  const line = element('td');
  line.append(chart(rates));
  const headroom = sink.headroom === null ? '' : sink.headroom.ms !== null ? time(sink.headroom.ms) : number(sink.headroom.sequences);
  row.append(name, element('td', sink.guarantee), element('td', sink.position ? number(sink.position.sequence) : '–', 'number'),
    element('td', sink.lag === null ? '–' : number(sink.lag), 'number'), element('td', sink.lagMs === null ? '–' : time(sink.lagMs), 'number'), element('td', number(rates.at(-1)), 'number'), line,
    element('td', number(sink.writtenChanges), 'number'), element('td', bytes(sink.creditBytesInUse), 'number'),
    element('td', number(sink.retries) + ' / ' + number(sink.rejectedChanges), 'number'), element('td', headroom, 'number'));
  return row;
};
const heads = ['sink', 'guarantee', '#position', '#lag', '#behind', '#changes/s', '', '#delivered', '#in flight', '#retries / refused', '#headroom'];
const section = (pipeline, now) => {
  const part = element('section');
  const title = element('h2', pipeline.name);
  title.append(element('span', pipeline.state, 'state ' + pipeline.state), element('small', pipeline.latestSequence === null ? '' : 'source at ' + number(pipeline.latestSequence)),
    element('span', '', 'gap'), act(pipeline.name, 'pause'), act(pipeline.name, 'resume'), act(pipeline.name, 'stop'));
  const trouble = pipeline.sourceTrouble;
  const gone = trouble ? [element('div', 'source not reached for ' + time(trouble.forMs) + ': ' + trouble.reason, 'error')]
    : pipeline.error ? [element('div', pipeline.error, 'error')] : [];
  const table = element('table');
  const head = element('tr');
  for (const text of heads) head.append(element('th', text.replace('#', ''), text.startsWith('#') ? 'number' : ''));
  const top = element('thead');
  top.append(head);
  table.append(top, ...pipeline.sinks.map((sink) => sinkRow(pipeline, sink, now)));
  part.append(title, ...gone, table);
  return part;
};
const refresh = async () => {
  try {
    const status = await (await fetch('/status')).json();
    document.querySelector('#about').textContent = status.version + ' · process ' + status.pid + ' · up ' + time(status.uptimeMs) + ' · ' + bytes(status.memoryBytes);
    document.querySelector('#gone').hidden = true;
    main.replaceChildren(...status.pipelines.map((pipeline) => section(pipeline, status.uptimeMs)));
  } catch {
    document.querySelector('#gone').hidden = false;
  }
  setTimeout(refresh, 1000);
};
refresh();
</script>
</html>
`;
