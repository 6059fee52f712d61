/**
 * The convict schema of the options of a source or sink: an entry for each option, or a group of them by name. Told here
 * so that the types of the package need none of convict's.
 */
export type OptionsSchema<Options> = {
  readonly [Name in keyof Options]: OptionsSchema<Options[Name]> | OptionSchema<Options[Name]>;
};

/** What a pipeline file may say of one option. */
export interface OptionSchema<Value> {
  /** What it is for, as editors and `tailrace schema` tell it. */
  readonly doc?: string;
  /** A type such as `String`, a list of the allowed values, the name of a format, or a function that throws an Error. */
  readonly format?: unknown;
  /** Null where the format does not take it: the option must be given. */
  readonly default: Value | null;
  /** True for a secret: its value is in no message. */
  readonly sensitive?: boolean;
}
