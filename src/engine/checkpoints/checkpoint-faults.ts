import { TailraceError } from '../../errors/index.js';
import type { Checkpoint } from './checkpoint.js';

export const expired = ({ id, expires }: Checkpoint): TailraceError =>
  new TailraceError('CHECKPOINT_EXPIRED', `checkpoint ${id} expired at ${expires}`, {
    context: { id },
    remedy: 'Make a new one, with a longer lifetime or none.',
  });

export const nameTaken = ({ id, name }: Checkpoint): TailraceError =>
  new TailraceError('CHECKPOINT_NAME_TAKEN', `checkpoint ${id} has the name ${name}`, {
    context: { id, name: name ?? '' },
    remedy: 'Choose another name, delete that one, or replace it.',
  });

export const missing = ({ id, sequence }: Checkpoint): TailraceError =>
  new TailraceError(
    'STORE_CORRUPT',
    `the data of checkpoint ${id} at sequence number ${sequence} is not there`,
    {
      context: { id, sequence },
      remedy:
        'Log files, the data file and the file CHECKPOINTS belong together: restore them from one backup.',
    },
  );

export const readOnly = (): TailraceError =>
  new TailraceError(
    'STORE_READ_ONLY',
    'checkpoints cannot be changed in a store that is opened for reading only',
    {
      remedy: 'Open the store without isReadOnly, or ask the server that has it open.',
    },
  );

export const notOlder = (base: Checkpoint, checkpoint: Checkpoint): TailraceError =>
  new TailraceError('CHECKPOINT_IN_USE', `checkpoint ${base.id} is not older than ${checkpoint.id}`, {
    context: { base: base.id, id: checkpoint.id },
    remedy: 'Take an older checkpoint as the base.',
  });

export const notWritten = ({ id }: Checkpoint): TailraceError =>
  new TailraceError('CHECKPOINT_IN_USE', `checkpoint ${id} is not wholly in the data file yet`, {
    context: { id },
    remedy: 'Open the store for writing: it is written then.',
  });
