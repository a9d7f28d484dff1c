// Clicks as the index of what was meant: the column or row under the pointer where bars or lines share an axis of names,
// else the part or cell that was hit.

/** Calls `handler` with the data index of each click on `chart`. */
export function onPick(chart, handler) {
  chart.getZr().on('click', ({ offsetX, offsetY }) => {
    const index = axisIndex(chart, [offsetX, offsetY]);
    if (index != null) handler(index);
  });
  chart.on('click', ({ seriesType, dataIndex }) => {
    if (seriesType === 'pie' || seriesType === 'heatmap') handler(dataIndex);
  });
}

function axisIndex(chart, point) {
  const { series, xAxis, yAxis } = chart.getOption();
  const isShared = series.some(({ type }) => type === 'bar' || type === 'line');
  if (!isShared || !chart.containPixel({ gridIndex: 0 }, point)) return null;
  const [column, row] = chart.convertFromPixel({ gridIndex: 0 }, point);
  const isByColumn = xAxis[0].type === 'category';
  const index = isByColumn ? column : row;
  const names = (isByColumn ? xAxis : yAxis)[0].data;
  return index >= 0 && index < names.length ? index : null;
}
