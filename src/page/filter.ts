import { type Html, html } from './html.ts'

/** Asks for a part of the names of the tables to show. */
export const filterInput = (filter: string): Html =>
  html`<label>Filter by name <input type="search" name="filter" value="${filter}" autocomplete="off" spellcheck="false"></label>`

/** True for a name, as it is shown, that has the filter in it, in upper or lower case. */
export const isFound = (name: string, filter: string) => name.toLowerCase().includes(filter.toLowerCase())
