// Invisible, or able to move the cursor, to colour, to hide or to reorder what stands beside it.
const hidden = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`

// Ordinary text all the same: emoji, one variant of a character, signs in front of numbers, the
// parts of hieroglyphs, and the joiners of scripts whose letters join.
const joining = String.raw`[\p{scx=Arab}\p{scx=Syrc}\p{scx=Mong}\p{scx=Deva}\p{scx=Beng}\p{scx=Guru}\p{scx=Gujr}\p{scx=Orya}\p{scx=Taml}\p{scx=Telu}\p{scx=Knda}\p{scx=Mlym}\p{scx=Sinh}\p{scx=Khmr}\p{scx=Mymr}]`
const ordinary = [
  String.raw`\p{RGI_Emoji}`,
  String.raw`(?<=[\p{L}\p{N}\p{P}\p{S}])\p{Variation_Selector}`,
  String.raw`[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}\u{13430}-\u{1343f}]`,
  String.raw`(?<=${joining})[\u200c\u200d](?=${joining})`,
].join('|')

const sought = new RegExp(`(?<kept>${ordinary})|${hidden}`, 'gv')

/**
 * A text as it may be shown to a person, in one line: what is invisible, or would do something to the
 * terminal, is there as `\u001b`. Of a text that is JSON, it is the same JSON.
 */
export function visible(text: string): string {
  return text.replace(sought, (found, kept?: string) => kept ?? codes(found))
}

/** The same, but each line of the text is a line, and all but the first are indented: none looks like ours. */
export function visibleLines(text: string, indent = '  '): string {
  return text.trimEnd().split(/\r?\n/).map(visible).join(`\n${indent}`)
}

function codes(character: string): string {
  return character
    .split('') // into units of UTF-16, as JSON has them
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('')
}
