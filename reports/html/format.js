// SPDX-License-Identifier: Apache-2.0
'use strict';
// Numbers for people: three significant digits and a unit.

const units = {
  time: [[1, 'ns'], [1e3, 'us'], [1e6, 'ms'], [1e9, 's']],
  bytes: [[1, 'B'], [2 ** 10, 'KiB'], [2 ** 20, 'MiB'], [2 ** 30, 'GiB'], [2 ** 40, 'TiB']],
  flops: [[1, 'FLOP/s'], [1e3, 'kFLOP/s'], [1e6, 'MFLOP/s'], [1e9, 'GFLOP/s'], [1e12, 'TFLOP/s']],
  traffic: [[1, 'B/s'], [1e3, 'kB/s'], [1e6, 'MB/s'], [1e9, 'GB/s'], [1e12, 'TB/s']],
};

function number(value) {
  if (value === null || value === undefined) return '\u2013';
  const x = num(value);
  if (!Number.isFinite(x) || x === 0) return String(x);
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-4) return x.toExponential(2);
  return String(Number(x.toPrecision(3)));
}

function withUnit(value, scale) {
  if (value === null || value === undefined) return '\u2013';
  const x = num(value);
  if (!Number.isFinite(x)) return String(x);
  let best = scale[0];
  for (const unit of scale) if (Math.abs(x) >= unit[0]) best = unit;
  const scaled = x / best[0];
  const digits = Math.abs(scaled) >= 100 ? scaled.toFixed(0) : Number(scaled.toPrecision(3));
  return digits + ' ' + best[1];
}

const time = (nanoseconds) => withUnit(nanoseconds, units.time);
const bytes = (value) => withUnit(value, units.bytes);
const flops = (value) => withUnit(value, units.flops);
const traffic = (value) => withUnit(value, units.traffic);
const count = (value) => Number(value).toLocaleString('en');
/** Enough digits to tell neighbouring float32 values apart. */
const exact = (value) => {
  const x = num(value);
  return Number.isFinite(x) ? String(Number(x.toPrecision(9))) : String(x);
};
const plural = (n, one) => count(n) + ' ' + one + (n === 1 ? '' : 's');
