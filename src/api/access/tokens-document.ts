import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsIn,
  IsISO8601,
  IsOptional,
  Matches,
  ValidateNested,
} from 'class-validator';
import { readDocument } from '../../documents/validated-document.js';
import { LocatedErrors } from '../../located-error.js';
import { withRemedy } from '../../risk/field.js';
import { ROLES, type Role } from './caller.js';

/** Each is compared with for each request. */
const MAX_TOKENS = 256;

/** A bearer token without the token. */
export class TokenEntry {
  /** As events name whoever uses it: `token:NAME`. */
  @Matches(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, withRemedy('Write letters, digits and . _ @ -, at most 64.'))
  name!: string;

  @IsIn(ROLES, withRemedy(`Use one of ${ROLES.join(', ')}.`))
  role!: Role;

  /** Of the token, in lower-case hexadecimal. */
  @Matches(/^[0-9a-f]{64}$/, withRemedy('Write what `wardenctl token new` prints: 64 hexadecimal digits.'))
  sha256!: string;

  /** From then on it is refused: a date, in UTC from its beginning, or a time with its zone. */
  @IsOptional()
  @Matches(
    /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?$/,
    withRemedy('Write a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z.'),
  )
  @IsISO8601({ strict: true }, withRemedy('Write a date that exists.'))
  expires?: string;
}

export class TokensDocument {
  @IsArray(withRemedy('Write a list of tokens.'))
  @ArrayMaxSize(MAX_TOKENS, withRemedy(`Write at most ${MAX_TOKENS} tokens.`))
  @ArrayUnique(({ name }: TokenEntry) => name, withRemedy('Give each token its own name.'))
  @ValidateNested({ ...withRemedy('Write name, role and sha256.'), each: true })
  @Type(() => TokenEntry)
  tokens!: TokenEntry[];
}

/**
 * Reads a tokens file.
 *
 * @throws LocatedErrors that name file, line and field
 */
export function parseTokens(file: string, text: string): readonly TokenEntry[] {
  const { value, problems } = readDocument({ file, text }, TokensDocument);
  if (!value) throw new LocatedErrors(problems);
  return value.tokens;
}
