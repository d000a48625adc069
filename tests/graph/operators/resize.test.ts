import { describeGradients } from '../../support/finite-differences.ts';
import { resizeCases } from './cases/resize.ts';

describeGradients('resize', resizeCases);
