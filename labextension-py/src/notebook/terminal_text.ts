/** Text as a terminal would leave it: a carriage return begins the line anew, a backspace takes a step back. */

export class TerminalText {
  /** Take what was written. */
  write(text: string): void {
    for (const piece of text.split(/(\r\n|[\n\r\b])/)) {
      if (piece === '\n' || piece === '\r\n') {
        this.ended += this.line + '\n';
        this.line = '';
        this.column = 0;
      } else if (piece === '\r') {
        this.column = 0;
      } else if (piece === '\b') {
        this.column = Math.max(0, this.column - 1);
      } else if (piece) {
        this.line = this.line.slice(0, this.column) + piece + this.line.slice(this.column + piece.length);
        this.column += piece.length;
      }
    }
  }

  get text(): string {
    return this.ended + this.line;
  }

  private ended = '';
  private line = '';
  private column = 0;
}
