import {
  type ChosenSink,
  type FilePlace,
  formatProblem,
  type PipelineConfig,
  type PlacedTransform,
} from '../../config/index.js';
import { messageOf, TailraceError } from '../errors/index.js';
import {
  addStage,
  type ChangeStage,
  chainStages,
  compileRoute,
  dropStage,
  filterStage,
  flattenStage,
  hashStage,
  loadUserFunction,
  maskStage,
  parseJsonStage,
  renameStage,
  routeStage,
  type TransactionTransform,
} from '../pipeline/index.js';
import { withPlace } from './with-place.js';

/** What a sink sees of the changes: the pipeline's transforms, its routes, then the sink's own; undefined = everything. */
export const assembleTransform = async (
  config: PipelineConfig,
  sink: ChosenSink,
): Promise<TransactionTransform | undefined> => {
  const stages: ChangeStage[] = [];
  for (const settings of config.transforms) stages.push(await stageOf(settings, config, sink));
  if (config.routes.length > 0) {
    const routes = config.routes.map(({ keys, to, key, place, ...conditions }) => {
      const route = { keys, to, ...(key === '' ? {} : { key }), ...withoutEmpty(conditions) };
      return explaining(place, () => compileRoute(route));
    });
    stages.push(routeStage(routes, sink.name));
  }
  for (const settings of sink.transforms) stages.push(await stageOf(settings, config, sink));
  return chainStages(stages);
};

const stageOf = async (
  settings: PlacedTransform,
  config: PipelineConfig,
  sink: ChosenSink,
): Promise<ChangeStage> => {
  const place = { pipeline: config.name, sink: sink.name };
  if (settings.kind === 'use')
    try {
      return await loadUserFunction({ ...settings, from: config.file }, place);
    } catch (error) {
      throw withPlace(error, settings.place);
    }
  return explaining(settings.place, () => plainStage(settings));
};

const plainStage = (settings: Exclude<PlacedTransform, { kind: 'use' }>): ChangeStage => {
  switch (settings.kind) {
    case 'filter': {
      const { kind: _, place: __, ...lists } = settings;
      return filterStage(withoutEmpty(lists));
    }
    case 'rename':
      return renameStage(settings.keys, settings.to);
    case 'drop':
      return dropStage(settings);
    case 'mask':
      return maskStage(settings, settings.with);
    case 'hash':
      return hashStage(settings, settings.algorithm, settings.secret);
    case 'parseJson':
      return parseJsonStage(settings.keys);
    case 'flatten':
      return flattenStage(settings.keys, settings.separator, settings.to);
    case 'add':
      return addStage(settings.keys, settings.fields);
  }
};

/** A list that is empty lets all pass. */
const withoutEmpty = (
  lists: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> =>
  Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));

/** A pattern that cannot be used is a mistake of the file. */
const explaining = <Made>(place: FilePlace, make: () => Made): Made => {
  try {
    return make();
  } catch (cause) {
    const reason = messageOf(cause);
    throw new TailraceError('CONFIG_INVALID', formatProblem({ ...place, message: reason }), {
      context: { file: place.file },
      remedy: 'Mend the place named above; `tailrace validate FILE` checks without running.',
      cause,
    });
  }
};
