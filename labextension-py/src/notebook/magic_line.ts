/** The `%%cumulus` line over a cell: read, written, taken away; its other options stay as they are. */

/** What the menu sets; `null` leaves it to the notebook's defaults. */
export interface Wish {
  readonly gpu: string | null;
  readonly durationS: string | null;
}

const MAGIC = '%%cumulus';
const OPTIONS = { gpu: '--gpu', durationS: '--duration' } as const;

/** What the line over a cell asks for; `null` where there is no such line. */
export function wishOf(source: string): Wish | null {
  const { line } = parts(source);
  if (line === null) {
    return null;
  }
  const words = wordsOf(line.slice(MAGIC.length));
  return { gpu: valueOf(words, OPTIONS.gpu), durationS: valueOf(words, OPTIONS.durationS) };
}

/** The cell with this wish over it. */
export function withWish(source: string, wish: Wish): string {
  const { before, line, after } = parts(source);
  const kept = without(without(wordsOf((line ?? MAGIC).slice(MAGIC.length)), OPTIONS.gpu), OPTIONS.durationS);
  const asked = [
    ...(wish.gpu === null ? [] : [OPTIONS.gpu, wish.gpu]),
    ...(wish.durationS === null ? [] : [OPTIONS.durationS, wish.durationS])
  ];
  const written = [MAGIC, ...asked, ...kept].join(' ');
  return line === null ? `${written}\n${before}${after}` : `${before}${written}${after}`;
}

/** The cell without the line: it runs where the notebook does. */
export function withoutMagic(source: string): string {
  const { before, line, after } = parts(source);
  return line === null ? source : before + after.replace(/^\r?\n/, '');
}

/** The cell around its magic line: what stands before it is blank. */
function parts(source: string): { before: string; line: string | null; after: string } {
  const found = /^(\s*\n)?(%%cumulus(?:[^\S\n][^\n]*)?)(?=\n|$)/.exec(source);
  if (!found) {
    return { before: '', line: null, after: source };
  }
  const before = found[1] ?? '';
  return { before, line: found[2].trimEnd(), after: source.slice(found[0].length) };
}

/** The words of a line as they were written, quotation marks and all; `{width + 1}`, which IPython fills in, is in one. */
function wordsOf(line: string): string[] {
  return line.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\{[^{}]*\}|\\.|[^\s"'\\]|["'])+/g) ?? [];
}

function valueOf(words: readonly string[], flag: string): string | null {
  const at = words.findIndex(word => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) {
    return null;
  }
  return words[at] === flag ? (words[at + 1] ?? null) : words[at].slice(flag.length + 1);
}

function without(words: readonly string[], flag: string): string[] {
  return words.filter(
    (word, index) => word !== flag && !word.startsWith(`${flag}=`) && words[index - 1] !== flag
  );
}
