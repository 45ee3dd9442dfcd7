/** Controls that JSON leaves as they are, and marks that turn the direction of text: they would act on a terminal. */
// oxlint-disable-next-line no-control-regex
const UNSAFE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** JSON of names and arguments that others chose, harmless to show on a terminal: the same value to whoever reads it. */
export function harmlessJson(json: string): string {
  // Such characters are in strings only.
  return json.replace(UNSAFE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
