export { type Bar, barChart, type ChartLabels, type HistogramLabels, histogram } from './charts.js';
