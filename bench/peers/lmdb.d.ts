// What the benchmarks use of it. It is no dependency: its lock file entries do not install everywhere.
declare module 'lmdb' {
  export interface Database {
    put(key: Buffer, value: Buffer): Promise<boolean>;
    get(key: Buffer): Buffer | undefined;
    transactionSync(work: () => void): void;
    close(): Promise<void>;
  }
  export const open: (options: {
    path: string;
    encoding: 'binary';
    keyEncoding: 'binary';
    noSync: boolean;
  }) => Database;
}
