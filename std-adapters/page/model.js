// What is known: sections, series, and what was seen of them since the page was opened.

/** Moments that are kept of a series: three minutes at one a second. */
export const KEPT = 180;

/** Series beyond which only those that are shown keep their past. */
const PAST_MAX = 4000;

/** Seconds over which a rate is taken. */
const RATE_WINDOW = 5;

/** The lower bound of the bucket with an index, in the base unit. */
export function bound(scale, index) {
  return 2 ** (index / 2 ** scale);
}

/** One metric of one section. */
export class Series {
  constructor(id, section, name, labels, kind, unit, help, geometry) {
    Object.assign(this, { id, section, name, kind, unit, help, geometry });
    this.labels = Object.entries(labels);
    this.text = [name, ...this.labels.map(([label, value]) => `${label}=${value}`)].join(" ").toLowerCase();
    this.stats = {};
    this.isFresh = true;
    this.buckets = null;
    /** Moments: time, number and, of histograms, the counts that were added since the one before. */
    this.past = [];
    this.lastBuckets = null;
  }

  get isHistogram() {
    return this.geometry !== null;
  }

  get isCounting() {
    return this.kind === "counter" || this.kind === "meter" || this.isHistogram;
  }

  /** The number that the series is about, as it came: a count or a value. */
  get number() {
    return this.stats.value ?? this.stats.count ?? null;
  }

  /** A quantile of the last moments or, if nothing came then, of all time. */
  lately(key) {
    return this.stats[key] ?? this.stats[`lifetime_${key}`] ?? null;
  }

  /** When the quantiles are of: `last 60 s`, or null if only those of all time are kept. */
  get window() {
    const seconds = this.stats.window_seconds;
    return seconds === undefined ? null : `last ${seconds ?? 0} s`;
  }

  set(stats, isFresh, buckets) {
    this.stats = stats;
    this.isFresh = isFresh;
    this.buckets = buckets ?? null;
  }

  /** Keeps this moment. */
  keep(time) {
    const number = this.number === null ? null : Number(this.number);
    const moment = { time, number, added: null };
    if (this.isHistogram && this.buckets) {
      moment.added = this.lastBuckets ? added(this.buckets, this.lastBuckets) : null;
      this.lastBuckets = this.buckets;
    }
    this.past.push(moment);
    if (this.past.length > KEPT) {
      this.past.shift();
    }
  }

  forget() {
    this.past = [];
    this.lastBuckets = null;
  }

  /** Events a second over the last seconds; null if that is not known. */
  get rate() {
    if (!this.isCounting || this.past.length < 2 || !this.isFresh) {
      return null;
    }
    const last = this.past[this.past.length - 1];
    let first = null;
    for (let i = this.past.length - 2; i >= 0; i -= 1) {
      first = this.past[i];
      if (last.time - first.time >= RATE_WINDOW) {
        break;
      }
    }
    const rate = (last.number - first.number) / (last.time - first.time);
    return rate >= 0 && Number.isFinite(rate) ? rate : null;
  }

  /** The line of a small chart: rates of counts, 99th percentiles of histograms, else values. */
  line() {
    if (this.isHistogram) {
      return this.past.map((moment) => this.quantile(moment, 0.99));
    }
    if (!this.isCounting) {
      return this.past.map((moment) => moment.number);
    }
    const rates = [];
    for (let i = 1; i < this.past.length; i += 1) {
      const [a, b] = [this.past[i - 1], this.past[i]];
      const rate = (b.number - a.number) / (b.time - a.time);
      rates.push(rate >= 0 && Number.isFinite(rate) ? rate : null);
    }
    return rates;
  }

  /** A quantile of what was added in a moment; null if nothing was. */
  quantile(moment, q) {
    if (!moment.added) {
      return null;
    }
    const { zero, overflow, buckets } = moment.added;
    let total = zero + overflow;
    for (const [, count] of buckets) {
      total += count;
    }
    if (total <= 0) {
      return null;
    }
    const [scale, first, length] = this.geometry;
    let left = Math.max(1, Math.ceil(q * total)) - zero;
    if (left <= 0) {
      return bound(scale, first);
    }
    for (const [index, count] of buckets) {
      left -= count;
      if (left <= 0) {
        const [low, high] = [bound(scale, first + index), bound(scale, first + index + 1)];
        return (2 * low * high) / (low + high);
      }
    }
    return bound(scale, first + length);
  }
}

/** What was added to buckets since they were `before`. */
function added(now, before) {
  const old = new Map();
  for (let i = 2; i < before.length; i += 2) {
    old.set(before[i], before[i + 1]);
  }
  const buckets = [];
  for (let i = 2; i < now.length; i += 2) {
    const count = now[i + 1] - (old.get(now[i]) ?? 0);
    if (count > 0) {
      buckets.push([now[i], count]);
    }
  }
  return { zero: Math.max(0, now[0] - before[0]), overflow: Math.max(0, now[1] - before[1]), buckets };
}

/** Everything that is known. */
export class Model {
  constructor() {
    /** By name, in the order in which they are shown. */
    this.sections = new Map();
    this.series = new Map();
    this.time = null;
    /** Name of the section that is shown. */
    this.shown = null;
    /** Counts up whenever there are other series than before. */
    this.shape = 0;
  }

  /** Takes a document in. */
  take(document) {
    if (document.since === null) {
      this.series.clear();
      this.shape += 1;
    }
    for (const id of document.gone) {
      this.series.delete(id);
      this.shape += 1;
    }
    for (const [id, ...about] of document.series) {
      this.series.set(id, new Series(id, ...about));
      this.shape += 1;
    }
    for (const [id, ...value] of document.values) {
      this.series.get(id)?.set(...value);
    }
    const passed = this.time === null ? 0 : Math.max(0, (document.time - this.time) / 1000);
    this.time = document.time;
    this.#takeSections(document.sections, passed);
    for (const series of this.series.values()) {
      const section = this.sections.get(series.section);
      if (this.series.size > PAST_MAX && series.section !== this.shown) {
        series.forget();
      } else if (section?.isNews) {
        series.keep(section.clock);
      }
    }
  }

  #takeSections(sections, passed) {
    const before = this.sections;
    this.sections = new Map();
    for (const now of sections) {
      const old = before.get(now.name);
      const section = { ...now, clock: old?.clock ?? 0, rebootedFor: old?.rebootedFor ?? Infinity, isNews: true };
      let step = passed;
      if (old && now.uptime !== null && now.uptime !== undefined && old.uptime !== null) {
        // The device's own clock: how long a frame took to get here does not matter.
        step = now.uptime >= old.uptime ? now.uptime - old.uptime : passed;
        section.isNews = now.uptime !== old.uptime;
      }
      if (old) {
        section.clock += section.isNews ? step : 0;
        section.rebootedFor += passed;
        if (now.boots > old.boots) {
          section.rebootedFor = 0;
        }
      }
      this.sections.set(now.name, section);
    }
  }

  /** The series of the section that is shown, by name and labels. */
  list() {
    const list = [...this.series.values()].filter((series) => series.section === this.shown);
    const key = (series) => series.text.replaceAll(".", "\u0001");
    const keys = new Map(list.map((series) => [series, key(series)]));
    return list.sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : 1));
  }
}
