/** A TLS client that resumes sessions: one connection, one request of HTTP/1. */
import tls from 'node:tls';

export interface TlsAnswer {
  /** Whether the session was resumed. */
  reused: boolean;
  protocol: string | null;
  /** Common name of the server's certificate. */
  subject: string;
  /** All that came, with the header. */
  text: string;
  /** To resume with; the last one that was given. */
  session: Buffer | undefined;
}

export function askTls(options: tls.ConnectionOptions, path = '/'): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const answer: TlsAnswer = { reused: false, protocol: null, subject: '', text: '', session: options.session };
    const socket = tls.connect({ host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      answer.reused = socket.isSessionReused();
      answer.protocol = socket.getProtocol();
      answer.subject = String(socket.getPeerCertificate().subject?.CN ?? '');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    });
    socket.on('session', (session) => (answer.session = session));
    socket.on('data', (chunk: Buffer) => (answer.text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
