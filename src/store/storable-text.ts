// Text of others, on its way into a text column.

/** PostgreSQL's text cannot hold a NUL or half a surrogate pair; what a broken server sends can. */
export function storableText(text: string): string {
  return text.replaceAll("\u0000", "\uFFFD").toWellFormed();
}
