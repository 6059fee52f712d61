import { readFileSync, statSync, unwatchFile, watchFile } from 'node:fs';
import { messageOf, TailraceError } from '../errors/index.js';
import { inaccessible } from '../files/index.js';
import type { Logger } from '../kit/index.js';
import type { Server, TlsFiles } from '../server/index.js';

/** The flags of a server that name files of TLS. */
export interface CertificateFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

interface CertificatePaths {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/**
 * The certificate of a server, its key and the authority of its clients, in files that somebody replaces now and then:
 * certificates expire, and a store is not stopped for that.
 */
export class CertificateFiles {
  readonly #paths: CertificatePaths;
  #tls: TlsFiles;
  /** Whoever reads a pipe again may wait for ever. */
  readonly #isReadOnce: boolean;

  /** Undefined without TLS. @throws TailraceError `USAGE`, or that a file cannot be read */
  static of({ tlsCert, tlsKey, tlsCa }: CertificateFlags): CertificateFiles | undefined {
    if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
    if (tlsCert === undefined || tlsKey === undefined)
      throw new TailraceError('USAGE', 'TLS needs a certificate and its key', {
        remedy: 'Give both --tls-cert and --tls-key; --tls-ca demands certificates of clients too.',
      });
    return new CertificateFiles({
      cert: tlsCert,
      key: tlsKey,
      ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    });
  }

  private constructor(paths: CertificatePaths) {
    this.#paths = paths;
    this.#tls = this.#read();
    this.#isReadOnce = Object.values(paths).some(
      (path) => statSync(path, { throwIfNoEntry: false })?.isFile() !== true,
    );
  }

  /** What was read last that could be used. */
  get tls(): TlsFiles {
    return this.#tls;
  }

  /** Looks at the files now and every few seconds, and gives the server what they hold as soon as that belongs together. */
  watch(server: Server, log: Logger, intervalMs = lookIntervalMs): Disposable {
    const renew = (): void => {
      try {
        const tls = this.#read();
        if (isSame(tls, this.#tls)) return;
        server.useTls(tls);
        this.#tls = tls;
        log.info('took the new certificate, for whoever connects from now on', { file: this.#paths.cert });
      } catch (error) {
        log.warn('the new certificate cannot be used, the one before stays', { reason: messageOf(error) });
      }
    };
    const watched = this.#isReadOnce ? [] : Object.values(this.#paths);
    for (const path of watched) watchFile(path, { interval: intervalMs, persistent: false }, renew);
    if (watched.length > 0) renew();
    return {
      [Symbol.dispose]: () => {
        for (const path of watched) unwatchFile(path, renew);
      },
    };
  }

  #read(): TlsFiles {
    const { cert, key, ca } = this.#paths;
    return { cert: readPem(cert), key: readPem(key), ...(ca === undefined ? {} : { ca: readPem(ca) }) };
  }
}

const isSame = (one: TlsFiles, other: TlsFiles): boolean =>
  [one.cert, one.key, one.ca].join() === [other.cert, other.key, other.ca].join();

const readPem = (path: string): Buffer => {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw inaccessible(path, cause);
  }
};

const lookIntervalMs = 5_000;
