import type { Change } from '../../kit/index.js';
import { compileFilter, type FilterOptions } from '../change-filter.js';
import type { ChangeStage } from './change-stage.js';
import { editStage } from './change-stage.js';
import { KeyPattern, KeyTemplate } from './key-pattern.js';
import { withKey } from './rename-key.js';

/** Where changes go. */
export interface Route {
  /** Patterns with captures; none = every key. */
  readonly keys: readonly string[];
  readonly namespaces?: readonly string[];
  readonly types?: readonly string[];
  readonly ops?: readonly string[];
  /** Names of sinks. */
  readonly to: readonly string[];
  /** The key that these sinks see, made of what the pattern captured; default the key as it is. */
  readonly key?: string;
}

/**
 * What a sink gets of the routes: a change goes to the sinks of the first route that matches, and nowhere when none
 * does. Changes that may concern any type or key (a deleted key, a cleared namespace) go to every route that matches
 * otherwise: the log does not always tell what the key was.
 */
export const routeStage = (routes: readonly CompiledRoute[], sink: string): ChangeStage => {
  const compiled = routes.map(({ to, ...route }) => ({ ...route, isMine: to.includes(sink) }));
  return editStage((change) => {
    const isUntyped = change.type === 'key' || !('key' in change);
    for (const { matches, isMine, rename } of compiled) {
      const captured = matches(change);
      if (captured === undefined) continue;
      if (isMine)
        return rename === undefined || !('key' in change) ? change : withKey(change, rename.fill(captured));
      if (!isUntyped) return undefined;
    }
    return undefined;
  });
};

/** A route whose patterns can be used. */
export interface CompiledRoute {
  /** What the pattern of its key captured; undefined when the change is not for this route. */
  readonly matches: (change: Change) => Readonly<Record<string, string>> | undefined;
  readonly to: readonly string[];
  readonly rename: KeyTemplate | undefined;
}

/** @throws Error that says what is wrong with a pattern or the template */
export const compileRoute = (route: Route): CompiledRoute => {
  const patterns = route.keys.map((pattern) => new KeyPattern(pattern));
  const { namespaces, types, ops } = route;
  const conditions: FilterOptions = {
    ...(namespaces === undefined ? {} : { namespaces }),
    ...(types === undefined ? {} : { types }),
    ...(ops === undefined ? {} : { ops }),
  };
  const passes = compileFilter(conditions);
  return {
    to: route.to,
    rename: route.key === undefined ? undefined : new KeyTemplate(route.key, commonCaptures(patterns)),
    matches: (change) => {
      if (!passes(change)) return undefined;
      if (patterns.length === 0 || !('key' in change)) return noCaptures;
      for (const pattern of patterns) {
        const captured = pattern.capture(change.key);
        if (captured !== undefined) return captured;
      }
      return undefined;
    },
  };
};

/** A template may use what every pattern of the route captures. */
const commonCaptures = (patterns: readonly KeyPattern[]): ReadonlySet<string> => {
  const [first, ...others] = patterns;
  if (first === undefined) return new Set();
  return new Set([...first.captures].filter((name) => others.every(({ captures }) => captures.has(name))));
};

const noCaptures: Readonly<Record<string, string>> = {};
