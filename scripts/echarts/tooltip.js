// The tooltip as DOM nodes with classes: ECharts' own is a string of style attributes, which a strict
// Content-Security-Policy refuses. Text goes in as text, never as HTML. Its look is in style/charts.css.
const BAND_LOW = 'band-low';
const BAND_WIDTH = 'band-width';

/** Gives an option that has a tooltip the page's own content and a bare box. */
export function installTooltip(option) {
  const tooltip = [option.tooltip].flat()[0];
  if (!tooltip) return;
  if (tooltip.axisPointer) tooltip.axisPointer.shadowStyle ??= { color: 'rgba(128, 136, 152, 0.14)' };
  Object.assign(tooltip, {
    className: 'chart-tooltip-box',
    confine: true,
    transitionDuration: 0,
    padding: 0,
    borderWidth: 0,
    backgroundColor: 'transparent',
    extraCssText: 'box-shadow:none;pointer-events:none',
    formatter: (params) => tooltipContent([params].flat(), option),
  });
}

function tooltipContent(params, option) {
  const box = element('div', 'chart-tooltip');
  box.append(element('p', 'chart-tooltip-title', titleOf(params[0], option)));
  const list = element('dl', 'chart-tooltip-rows');
  for (const row of rowsOf(params, option)) {
    const name = element('dt', '', row.name);
    const swatch = element('span', `chart-tooltip-swatch${row.isLine ? ' is-line' : ''}`);
    // Set through the CSSOM, which style-src does not restrict.
    swatch.style.setProperty('background', row.color);
    name.prepend(swatch);
    list.append(name, element('dd', '', row.text));
  }
  box.append(list);
  return box;
}

function titleOf(param, option) {
  if (param.seriesType !== 'heatmap') return param.name;
  const [column, row] = param.value;
  return `${option.yAxis.data[row]}, ${option.xAxis.data[column]}`;
}

function rowsOf(params, option) {
  const rows = [];
  const stacked = { sum: 0, count: 0, format: String };
  let low = null;
  for (const param of params) {
    const series = option.series[param.seriesIndex];
    const value = Array.isArray(param.value) ? param.value.at(-1) : param.value;
    if (value == null || Number.isNaN(value)) continue;
    const format = series.tooltip?.valueFormatter ?? String;
    const text = format(value);
    const row = { name: param.seriesName, text, color: param.color, isLine: param.seriesType === 'line' };
    if (series.id === BAND_LOW) {
      low = { value, text };
    } else if (series.id === BAND_WIDTH) {
      if (value > 0) rows.push({ ...row, text: `${low.text} – ${format(low.value + value)}` });
    } else if (param.seriesType === 'pie') {
      rows.push({ ...row, text: `${text} · ${param.percent.toFixed(1)} %` });
    } else if (param.seriesType === 'bar') {
      if (value === 0) continue;
      rows.push(row);
      Object.assign(stacked, { sum: stacked.sum + value, count: stacked.count + 1, format });
    } else {
      rows.push(row);
    }
  }
  if (stacked.count > 1) {
    rows.splice(stacked.count, 0, { name: 'Total', text: stacked.format(stacked.sum), color: 'transparent' });
  }
  return rows;
}

function element(tag, className, text = '') {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}
