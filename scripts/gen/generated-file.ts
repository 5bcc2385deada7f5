// What a generator hands back: where the file goes, and all of its text.
export interface GeneratedFile {
  /** Relative to the root, forward slashes. */
  readonly path: string;
  readonly text: string;
}
