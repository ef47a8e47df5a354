export { type Bar, barChart, type ChartLabels, type HistogramLabels, histogram } from './charts.js';
export { type Line, type LineChartLabels, lineChart } from './line-chart.js';
