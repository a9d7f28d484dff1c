// What the page gets as `globalThis.echarts`: only the chart types the dashboard draws, and what options built as plain
// data cannot carry: formats, the tooltip's content, rounded stack ends. Nothing here uses eval or style attributes, so the page's
// Content-Security-Policy stays strict.
import { init, registerPreprocessor, use, version } from 'echarts/core';
import { BarChart, HeatmapChart, LineChart, PieChart } from 'echarts/charts';
import {
  GridComponent, LegendScrollComponent, TooltipComponent, VisualMapContinuousComponent,
} from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';
import { setDefaults } from './defaults.js';
import { resolveFormats, setFormat } from './formats.js';
import { onPick } from './pick.js';
import { roundStackEnds } from './stacks.js';
import { installTooltip } from './tooltip.js';

use([
  BarChart, HeatmapChart, LineChart, PieChart,
  GridComponent, LegendScrollComponent, TooltipComponent, VisualMapContinuousComponent,
  SVGRenderer,
]);

registerPreprocessor((option) => {
  setDefaults(option);
  installTooltip(option);
  roundStackEnds(option);
  resolveFormats(option);
});

globalThis.echarts = { init, onPick, setFormat, version };
