import { describeGradients } from '../../support/finite-differences.ts';
import { normalisationCases } from './cases/normalisation.ts';

describeGradients('normalisation', normalisationCases);
