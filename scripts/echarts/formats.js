// Named formats: an option says `"format:usd"` where ECharts takes a function, and the page registers what `usd` does.
// So money and tokens read the same in a chart as in a table, by the same Rust code.
const formats = new Map();

/** Registers a format: a function from a value to text. */
export function setFormat(name, format) {
  formats.set(name, format);
}

/** Puts functions where the option's axes, labels and tooltips name a format. */
export function resolveFormats(option) {
  for (const axis of [option.xAxis, option.yAxis].flat()) resolve(axis?.axisLabel, 'formatter');
  for (const series of [option.series].flat()) {
    resolve(series?.label, 'formatter');
    resolve(series?.tooltip, 'valueFormatter');
  }
}

const PREFIX = 'format:';

function resolve(holder, key) {
  const named = holder?.[key];
  if (typeof named !== 'string' || !named.startsWith(PREFIX)) return;
  const name = named.slice(PREFIX.length);
  // Looked up at each call, so that an option may come before its formats; plain text for a name nobody registered.
  holder[key] = (value) => (value == null ? '' : formats.get(name)?.(value) ?? String(value));
}
