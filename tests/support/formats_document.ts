/**
 * docs/formats.md, taken apart, so that what it says can be tested.
 *
 * @module
 */

const DOCUMENT = new URL("../../docs/formats.md", import.meta.url);

/** A part of the document. */
export class FormatsDocument {
  /** Its text. */
  readonly text: string;

  /** Takes a text; {@link FormatsDocument.load} reads the document. */
  constructor(text: string) {
    this.text = text;
  }

  /** The whole document. */
  static async load(): Promise<FormatsDocument> {
    return new FormatsDocument(await Deno.readTextFile(DOCUMENT));
  }

  /** What is under the heading `title`, to the next one of its level. */
  under(title: string): FormatsDocument {
    const lines = this.text.split("\n");
    const start = lines.findIndex((line) =>
      /^#+ /.test(line) &&
      line.replace(/^#+ /, "") === title
    );
    if (start < 0) throw new Error(`there is no heading '${title}'`);
    const level = lines[start].indexOf(" ");
    const end = lines.findIndex((line, i) => {
      const marks = /^(#+) /.exec(line)?.[1].length ?? Infinity;
      return i > start && marks <= level;
    });
    const section = lines.slice(start + 1, end < 0 ? undefined : end);
    return new FormatsDocument(section.join("\n"));
  }

  /** The contents of all code blocks that are marked `kind`. */
  code(kind: string): string[] {
    const blocks = this.text.matchAll(/^```([^\n]*)\n(.*?)\n```$/gms);
    return [...blocks].flatMap(([, mark, code]) => mark === kind ? [code] : []);
  }

  /**
   * The values of all plain code blocks: `name: value`, where a long value
   * goes on in lines that begin with spaces.
   */
  values(): Map<string, string> {
    const values = new Map<string, string>();
    for (const code of this.code("text")) {
      const lines = code.replaceAll(/\n +/g, "").split("\n");
      for (const line of lines) {
        const [name, value] = line.split(/: */);
        if (values.has(name)) throw new Error(`${name} is there twice`);
        values.set(name, value);
      }
    }
    return values;
  }

  /** The rows of the first table, as texts without backticks. */
  table(): string[][] {
    const [table] = /^\|.*?$(?!\n\|)/ms.exec(this.text) ?? [""];
    return table.split("\n").slice(2).map((row) =>
      row.split("|").slice(1, -1).map((cell) => cell.trim().replaceAll("`", ""))
    );
  }
}
