// The package ships no types; it has the interface of classic-level.
declare module '@nxtedition/rocksdb' {
  export { ClassicLevel as RocksLevel } from 'classic-level';
}
