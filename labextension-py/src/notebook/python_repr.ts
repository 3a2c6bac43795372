/** A job's last expression as Python shows it, where it is plain JSON; numbers keep the form they were written in. */

/**
 * The `repr` of the last expression in an answer of `GET /jobs/{id}/result`.
 *
 * `null` where there is none, or where this browser does not tell how a number was written.
 */
export function resultRepr(text: string): string | null {
  let exact = true;
  const number = (value: number, source?: string) => {
    exact &&= source !== undefined;
    return new Written(source ?? String(value));
  };
  // Where the reviver gets no context, 2.0 cannot be told from 2, and neither is shown.
  const revive = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' ? number(value, context?.source) : value;
  const answer = JSON.parse(text, revive as (key: string, value: unknown) => unknown) as Answer;
  const { result } = answer;
  if (!result?.has_result || result.json === null || result.json === undefined) {
    return null;
  }
  const shown = show(result.json);
  return exact || typeof result.json === 'string' ? shown : null;
}

interface Answer {
  readonly result: { readonly has_result: boolean; readonly json: unknown } | null;
}

/** A number as it was written. */
class Written {
  constructor(readonly text: string) {}
}

function show(value: unknown): string {
  if (value === null) {
    return 'None';
  }
  if (value instanceof Written) {
    return value.text;
  }
  if (typeof value === 'boolean') {
    return value ? 'True' : 'False';
  }
  if (typeof value === 'string') {
    return quoted(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(show).join(', ')}]`;
  }
  const items = Object.entries(value as object).map(([key, item]) => `${quoted(key)}: ${show(item)}`);
  return `{${items.join(', ')}}`;
}

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\\n\r\t]/g, found => ESCAPES[found]).replace(/[\x00-\x1f\x7f]/g, hex);
  return mark + (mark === "'" ? body.replace(/'/g, "\\'") : body) + mark;
}

function hex(character: string): string {
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
