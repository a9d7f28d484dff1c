// Rounds the free end of each stack of bars: the last part of it that is not zero.
const RADIUS_PX = 2;

export function roundStackEnds(option) {
  const isHorizontal = [option.yAxis].flat()[0]?.type === 'category';
  const corners = isHorizontal ? [0, RADIUS_PX, RADIUS_PX, 0] : [RADIUS_PX, RADIUS_PX, 0, 0];
  const bars = [option.series].flat().filter((series) => series?.type === 'bar');
  const rounded = new Set();
  for (const bar of bars.reverse()) {
    bar.data = bar.data?.map((value, index) => {
      const end = `${bar.stack}/${index}`;
      if (!value || typeof value === 'object' || rounded.has(end)) return value;
      rounded.add(end);
      return { value, itemStyle: { borderRadius: corners } };
    });
  }
}
