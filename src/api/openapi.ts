import type { INestApplication, Type } from '@nestjs/common';
import { applyDecorators } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiResponse,
  DocumentBuilder,
  SwaggerModule,
} from '@nestjs/swagger';
import { problem, PROBLEM_TYPE, type ProblemDetails } from './problem-details.js';

const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'Problem details (RFC 9457).',
  required: ['type', 'title', 'status'],
  properties: {
    type: { type: 'string', description: 'Always about:blank: the status says what it is.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    place: { type: 'string', description: 'Where the input is wrong.' },
    remedy: { type: 'string', description: 'What to do about it.' },
    components: { type: 'object', description: 'Of /readyz: the state of each component.' },
  },
};

/** What a route answers when all is well. */
export function Answer(type: Type, description: string, example: unknown): MethodDecorator {
  return ApiOkResponse({ type, description, example });
}

/** What a route answers where it goes on with the work after its answer. */
export function AnswerAccepted(type: Type, description: string, example: unknown): MethodDecorator {
  return ApiAcceptedResponse({ type, description, example });
}

/** What a route answers as something else than JSON. */
export function AnswerText(mediaType: string, description: string, example: string): MethodDecorator {
  return ApiOkResponse({ description, content: { [mediaType]: { schema: { type: 'string' }, example } } });
}

/** A problem that a route may answer with. */
export function AnswerProblem(example: ProblemDetails): MethodDecorator {
  return ApiResponse({ status: example.status, ...problemAnswer(example) });
}

export function AnswerNotFound(what: string, remedy: string): MethodDecorator {
  return applyDecorators(ApiNotFoundResponse(problemAnswer(problem(404, what, { remedy }))));
}

function problemAnswer(example: ProblemDetails) {
  return {
    description: example.detail ?? example.title,
    content: { [PROBLEM_TYPE]: { schema: PROBLEM_SCHEMA, example } },
  };
}

/** Serves the description at `/openapi-json`, and for people at `/openapi`. */
export function describeApi(app: INestApplication, version: string): void {
  const everywhere = [
    problem(400, 'property colour should not exist'),
    problem(401, 'over TCP a bearer token is needed', {
      remedy: 'Send "Authorization: Bearer TOKEN", or use the unix socket.',
    }),
    problem(403, 'this needs the role operate', {
      remedy: 'Use a token with the role operate, or the unix socket.',
    }),
    problem(500),
    problem(503, 'the decision store is away', {
      remedy: 'Ask again later; VMs are not held up by it. GET /v1/host says more.',
    }),
  ];
  const description = new DocumentBuilder()
    .setTitle('vfio-warden')
    .setDescription(
      'What a guest may reach of its passed-through PCI devices, and why. Lists answer `items` and, where there is ' +
        'more, `next`: give it as `cursor`. Unknown parameters are refused. Over TCP a bearer token is needed.',
    )
    .setVersion(version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'Over TCP only.' }, 'token')
    .addSecurityRequirements('token')
    .addSecurityRequirements({})
    .addGlobalResponse(
      ...everywhere.map((example) => ({ status: example.status, ...problemAnswer(example) })),
    )
    .build();
  SwaggerModule.setup('openapi', app, () => SwaggerModule.createDocument(app, description));
}
