// Settings that the option builder has no words for.
const ANIMATION_MS = 250;
const BAR_MAX_WIDTH_PX = 28;
const NAME_MAX_WIDTH_PX = 140;

export function setDefaults(option) {
  for (const series of [option.series].flat()) {
    if (series?.type === 'bar') series.barMaxWidth ??= BAR_MAX_WIDTH_PX;
    if (series?.type === 'pie') Object.assign(series, { percentPrecision: 1, animationDuration: ANIMATION_MS });
  }
  for (const axis of [option.xAxis, option.yAxis].flat()) {
    if (axis) axis.axisLabel = { hideOverlap: true, ...axis.axisLabel };
  }
  for (const axis of [option.yAxis].flat()) {
    if (axis?.type === 'category') Object.assign(axis.axisLabel, { width: NAME_MAX_WIDTH_PX, overflow: 'truncate' });
  }
}
