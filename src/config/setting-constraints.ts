import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsBoolean, Matches, ValidateBy } from 'class-validator';

/** Bytes of a unix socket's path: `sun_path` has 108 with the final zero. */
const MAX_SOCKET_PATH = 107;

/** An absolute path that fits into a socket's address. */
export function IsSocketPath(): PropertyDecorator {
  const message = `$property must be an absolute path of at most ${MAX_SOCKET_PATH} bytes, as sockets need it`;
  return ValidateBy({
    name: 'isSocketPath',
    validator: { validate: isSocketPath, defaultMessage: () => message },
  });
}

function isSocketPath(value: unknown): boolean {
  return typeof value === 'string' && /^\/[^\0]+$/.test(value) && Buffer.byteLength(value) <= MAX_SOCKET_PATH;
}

export function IsAbsolutePath(): PropertyDecorator {
  return Matches(/^\/[^\0]{1,4095}$/, { message: '$property must be an absolute path' });
}

export function IsGroupName(): PropertyDecorator {
  return Matches(/^([a-z_][a-z0-9_-]{0,31}|\d{1,9})$/i, {
    message: '$property must be a group or its number',
  });
}

/** `key=value` with commas between them; becomes a list. */
export function IsLabelList(): PropertyDecorator {
  return together(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? value.split(',').map((label) => label.trim()) : value,
    ),
    Matches(/^[^=\s]{1,128}=[^=\s]{0,128}$/, {
      each: true,
      message: '$property must be key=value, with commas between several',
    }),
  );
}

/** Absolute paths with commas between them; becomes a list. */
export function IsPathList(): PropertyDecorator {
  return together(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? value.split(',').map((path) => path.trim()) : value,
    ),
    ArrayMaxSize(16, { message: '$property must be 16 paths at most' }),
    Matches(/^\/[^\0]{1,4095}$/, {
      each: true,
      message: '$property must be an absolute path, with commas between several',
    }),
  );
}

export function IsSwitch(): PropertyDecorator {
  return together(
    Transform(({ value }: { value: unknown }) =>
      value === 'true' ? true : value === 'false' ? false : value,
    ),
    IsBoolean({ message: '$property must be true or false' }),
  );
}

/** Permission bits of a socket whose peers get this service's own rights at libvirt: none for others, no execution. */
export function IsClosedSocketMode(): PropertyDecorator {
  const remedy =
    'Write 0660 or less: libvirt sees the credentials of this service, not of the client, so the mode is the access control.';
  return ValidateBy(
    {
      name: 'isClosedSocketMode',
      validator: {
        validate: (value) =>
          typeof value === 'string' && /^0?[0-7]{3}$/.test(value) && (parseInt(value, 8) & ~0o660) === 0,
        defaultMessage: () => `$property must be an octal mode, not wider than 0660. ${remedy}`,
      },
    },
    { context: { remedy } },
  );
}

function together(...decorators: PropertyDecorator[]): PropertyDecorator {
  return (target, property) => decorators.forEach((decorate) => decorate(target, property));
}
