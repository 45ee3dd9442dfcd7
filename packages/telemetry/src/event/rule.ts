/** A pure function of a value. Declared as a method, so that rules of different values can be in one list. */
export type Rule<T, R> = { of(value: T): R }['of']
