// The trials of a run as columns, and what follows from them under any limits: front, best, knee, the cheapest above X.

export class Trials {
  constructor(objectives, limits) {
    this.objectives = objectives;
    this.limits = { ...limits };
    this.columns = [];
    this.rows = [];
    this.place = new Map();
    this.byNumber = new Map();
  }

  /** Takes a page of /trials; a page with other columns than before begins anew with them. */
  add(page) {
    if (page.columns.length > this.columns.length) {
      this.columns = page.columns;
      this.place = new Map(page.columns.map((name, index) => [name, index]));
    }
    for (const row of page.rows) {
      const aligned = page.columns.length === this.columns.length ? row : this.columns.map((name) => row[page.columns.indexOf(name)]);
      const known = this.byNumber.get(row[0]);
      if (known === undefined) {
        this.byNumber.set(row[0], this.rows.length);
        this.rows.push(aligned);
      } else this.rows[known] = aligned;
    }
  }

  value(row, column) {
    return row[this.place.get(column)] ?? null;
  }

  get metrics() {
    const fixed = new Set(["number", "id", "state", "kind", "patches", "split", "seconds", "error"]);
    return this.columns.filter((name) => !fixed.has(name) && !name.startsWith("choice."));
  }

  get choices() {
    return this.columns.filter((name) => name.startsWith("choice."));
  }

  /** Whether a metric has more than one value, and is more than a yes or no. */
  differ(column) {
    const values = new Set(this.rows.map((row) => this.value(row, column)).filter((value) => value !== null));
    return values.size > 1 && ![...values].every((value) => value === 0 || value === 1);
  }

  /** Whether a trial is within limits; `more` names the columns where more is better. */
  fits(row, limits, more) {
    return Object.entries(limits).every(([column, limit]) => {
      const value = this.value(row, column);
      return value !== null && (more.has(column) ? value >= limit : value <= limit);
    });
  }

  /**
   * front, dominated, over (a limit) or failed, for each row under these limits; with the front's best and knee.
   * Where `seen` is a set of rows the others are not in the way of these: they count as dominated.
   */
  sorted(limits, more, seen) {
    const kinds = new Array(this.rows.length).fill("dominated");
    const candidates = [];
    this.rows.forEach((row, index) => {
      if (this.value(row, "state") === "failed") kinds[index] = "failed";
      else if (!this.fits(row, limits, more)) kinds[index] = "over";
      else if (!seen || seen.has(index)) {
        const point = this.objectives.map(({ column, better }) => (better === "more" ? -1 : 1) * this.value(row, column));
        if (point.every(Number.isFinite)) candidates.push([point, index]);
      }
    });
    candidates.sort((a, b) => compare(a[0], b[0]) || a[1] - b[1]);
    const front = [];
    for (const [point, index] of candidates) {
      if (front.some(([kept]) => covers(kept, point))) continue;
      front.push([point, index]);
      kinds[index] = "front";
    }
    return { kinds, front: front.map(([, index]) => index), best: front[0]?.[1] ?? null, knee: knee(front) };
  }

  /** Among a front the cheapest in the second objective whose first is at least as good as `level`; null if none. */
  cheapest(front, level) {
    const [first, second] = this.objectives;
    if (!second) return null;
    const sign = first.better === "more" ? 1 : -1, cost = second.better === "more" ? -1 : 1;
    const good = front.filter((index) => sign * this.value(this.rows[index], first.column) >= sign * level);
    return good.reduce((found, index) => (found === null || cost * this.value(this.rows[index], second.column) < cost * this.value(this.rows[found], second.column) ? index : found), null);
  }
}

function covers(kept, point) {
  for (let i = 0; i < point.length; i++) if (kept[i] > point[i]) return false;
  return true;
}

function compare(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

/** The member farthest from the plane through the extremes, towards the ideal, each objective scaled to the front. */
function knee(front) {
  if (!front.length) return null;
  const low = front[0][0].map((_, i) => Math.min(...front.map(([point]) => point[i])));
  const high = front[0][0].map((_, i) => Math.max(...front.map(([point]) => point[i])));
  const sum = (point) => point.reduce((total, value, i) => total + (value - low[i]) / (high[i] > low[i] ? high[i] - low[i] : 1), 0);
  const sums = front.map(([point]) => Number(sum(point).toFixed(12)));
  return front[sums.indexOf(Math.min(...sums))][1];
}
