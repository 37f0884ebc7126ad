import { ApiProperty } from '@nestjs/swagger';

/** As terminus gives it. */
export class HealthAnswer {
  @ApiProperty({ enum: ['ok', 'degraded', 'error', 'shutting_down'] })
  status!: string;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'What is well.' })
  info!: object;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'What is not.' })
  error!: object;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'Both.' })
  details!: object;
}
